// Run in a page of Chromium: telephones that speak one tone each, and tell how loud tones are in what they hear.
globalThis.phones = (() => {
  const context = new AudioContext();
  const all = new Map();

  const gathered = peer => new Promise(done => {
    const look = () => peer.iceGatheringState === 'complete' && done();
    peer.addEventListener('icegatheringstatechange', look);
    look();
  });

  class Phone {
    constructor(hertz, configuration) {
      this.peer = new RTCPeerConnection(configuration);
      this.candidates = [];
      this.peer.onicecandidate = ({candidate}) => candidate && this.candidates.push(candidate.candidate);
      this.tone = context.createOscillator();
      this.tone.frequency.value = hertz;
      const level = context.createGain(), out = context.createMediaStreamDestination();
      level.gain.value = 0.25;
      this.tone.connect(level).connect(out);
      this.tone.start();
      this.peer.addTrack(out.stream.getAudioTracks()[0], out.stream);
      this.analyser = context.createAnalyser();
      this.analyser.fftSize = 8192;
      this.peer.ontrack = ({track}) => {
        this.sink = new Audio(); // without an element that plays it, nothing is decoded
        this.sink.srcObject = new MediaStream([track]);
        this.sink.muted = true;
        this.sink.play().catch(() => {});
        context.createMediaStreamSource(this.sink.srcObject).connect(this.analyser);
      };
    }

    async local(wait) {
      if (wait) await gathered(this.peer);
      return this.peer.localDescription.sdp;
    }

    async offer({direction, iceRestart, wait = true} = {}) {
      if (direction) this.peer.getTransceivers()[0].direction = direction;
      await this.peer.setLocalDescription(await this.peer.createOffer({iceRestart}));
      return this.local(wait);
    }

    async answer(sdp, {direction, wait = true} = {}) {
      await this.peer.setRemoteDescription({type: 'offer', sdp});
      if (direction) this.peer.getTransceivers()[0].direction = direction;
      await this.peer.setLocalDescription(await this.peer.createAnswer());
      return this.local(wait);
    }

    take(sdp) {
      return this.peer.setRemoteDescription({type: 'answer', sdp});
    }

    prefer(mimeType) {
      const codecs = RTCRtpReceiver.getCapabilities('audio').codecs;
      this.peer.getTransceivers()[0].setCodecPreferences(
        [...codecs.filter(c => c.mimeType === mimeType), ...codecs.filter(c => c.mimeType !== mimeType)]);
    }

    // Amplitudes of these frequencies in the last 170 ms, full scale being 1 (Goertzel's algorithm).
    levels(frequencies) {
      const samples = new Float32Array(this.analyser.fftSize);
      this.analyser.getFloatTimeDomainData(samples);
      return frequencies.map(hertz => {
        const factor = 2 * Math.cos(2 * Math.PI * hertz / context.sampleRate);
        let before = 0, last = 0;
        for (const sample of samples) [before, last] = [last, sample + factor * last - before];
        return 2 * Math.sqrt(Math.max(0, before * before + last * last - factor * before * last)) / samples.length;
      });
    }

    async figures() {
      const found = {ice: this.peer.iceConnectionState, state: this.peer.connectionState};
      (await this.peer.getStats()).forEach(entry => {
        if (['inbound-rtp', 'outbound-rtp', 'transport'].includes(entry.type)) found[entry.type] = entry;
      });
      return found;
    }

    // That the other end showed, in base64.
    certificate() {
      const [shown] = this.peer.getSenders()[0].transport.getRemoteCertificates();
      return btoa(String.fromCharCode(...new Uint8Array(shown)));
    }

    close() {
      this.tone.stop();
      this.peer.close();
    }
  }

  return {
    make(name, hertz, configuration) { all.set(name, new Phone(hertz, configuration)); },
    of: name => all.get(name),
    end(name) { all.get(name).close(); all.delete(name); },
  };
})();
