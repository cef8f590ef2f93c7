// Run in a page of Chromium: the two ends of an echo session, and what the tests ask of them.
globalThis.echo = (() => {
  const sleep = ms => new Promise(done => setTimeout(done, ms));

  async function until(holds, what, limit = 20000) {
    const end = performance.now() + limit;
    for (;;) {
      const value = await holds();
      if (value) return value;
      if (performance.now() > end) throw new Error('never: ' + what);
      await sleep(50);
    }
  }

  const gathered = peer => new Promise(done => {
    const look = () => peer.iceGatheringState === 'complete' && done();
    peer.addEventListener('icegatheringstatechange', look);
    look();
  });

  async function connect(peer, url, wait = true) {
    await peer.setLocalDescription();
    if (wait) await gathered(peer);
    const begun = performance.now();
    let connected;
    peer.addEventListener('connectionstatechange', () => {
      if (peer.connectionState === 'connected') connected ??= performance.now();
    });
    const answer = await fetch(url, {method: 'POST', body: JSON.stringify(peer.localDescription),
                                     headers: {'Content-Type': 'application/json'}});
    if (!answer.ok) throw new Error(await answer.text());
    await peer.setRemoteDescription(await answer.json());
    await until(() => connected, 'connected, but ' + peer.connectionState);
    return connected - begun;
  }

  function painted() {
    const canvas = document.createElement('canvas');
    canvas.width = 320;
    canvas.height = 240;
    const pen = canvas.getContext('2d');
    let frame = 0;
    setInterval(() => {
      pen.fillStyle = '#20c040';
      pen.fillRect(0, 0, 320, 240);
      pen.fillStyle = '#fff';
      pen.fillRect(frame++ % 300, 100, 20, 20);
    }, 33);
    return canvas.captureStream(30).getVideoTracks()[0];
  }

  function sounding() {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    return out.stream.getAudioTracks()[0];
  }

  async function inbound(peer) {
    const found = {};
    (await peer.getStats()).forEach(entry => { if (entry.type === 'inbound-rtp') found[entry.kind] = entry; });
    return found;
  }

  const clients = {
    async connection(url, wait) {
      const peer = new RTCPeerConnection();
      peer.addTransceiver('audio');
      peer.addTransceiver('video');
      const connected = await connect(peer, url, wait);
      peer.close();
      return {connected};
    },

    async channel(url) {
      const peer = new RTCPeerConnection();
      const channel = peer.createDataChannel('echo');
      channel.binaryType = 'arraybuffer';
      const sent = ['text', '', 'ä'.repeat(1000), new Uint8Array([0, 1, 255]), new Uint8Array(100000).fill(7),
                    new Uint8Array(0)];
      const came = [];
      channel.onopen = () => sent.forEach(message => channel.send(message));
      channel.onmessage = event => came.push(event.data);
      const connected = await connect(peer, url);
      await until(() => came.length === sent.length, 'all messages');
      sent.forEach((message, i) => {
        const back = typeof came[i] === 'string' ? came[i] : String(new Uint8Array(came[i]));
        if (back !== (typeof message === 'string' ? message : String(message))) throw new Error(`message ${i}`);
      });
      const begun = performance.now();
      for (let i = 0; i < 100; ++i) {
        const back = new Promise(done => { channel.onmessage = done; });
        channel.send('x');
        await back;
      }
      const round_trip = (performance.now() - begun) / 100;
      peer.close();
      return {connected, round_trip};
    },

    async media(url) {
      const peer = new RTCPeerConnection();
      const stream = new MediaStream([painted(), sounding()]);
      stream.getTracks().forEach(track => peer.addTrack(track, stream));
      const video = document.createElement('video');
      const back = video.srcObject = new MediaStream();
      peer.ontrack = event => back.addTrack(event.track);
      const connected = await connect(peer, url);
      video.play();
      const seen = await until(async () => {
        const {audio, video: picture} = await inbound(peer);
        return picture?.framesDecoded > 30 && audio?.totalAudioEnergy > 0 && {
          frames: picture.framesDecoded, width: picture.frameWidth, lost: picture.packetsLost + audio.packetsLost,
          packets: audio.packetsReceived, energy: audio.totalAudioEnergy};
      }, 'frames');
      // It begins at 300 kbit/s; more it dares only by what the server tells of arrivals.
      const outgoing = await until(async () => {
        let found = 0;
        (await peer.getStats()).forEach(entry => {
          if (entry.type === 'candidate-pair' && entry.nominated) found = entry.availableOutgoingBitrate || 0;
        });
        return found > 400000 && found;
      }, 'a higher estimate of the bandwidth', 35000);  // a busy machine's clocks make it wary
      const canvas = document.createElement('canvas');
      canvas.width = 320;
      canvas.height = 240;
      canvas.getContext('2d').drawImage(video, 0, 0, 320, 240);
      const pixel = [...canvas.getContext('2d').getImageData(10, 10, 1, 1).data];
      peer.close();
      return {connected, pixel, outgoing, ...seen};
    },
  };

  const peers = [];

  async function answer(offer) {
    const peer = new RTCPeerConnection();
    peers.push(peer);
    peer.ondatachannel = ({channel}) => { channel.onmessage = event => channel.send(event.data); };
    await peer.setRemoteDescription(offer);
    for (const transceiver of peer.getTransceivers()) {
      transceiver.direction = 'sendrecv';
      await transceiver.sender.replaceTrack(transceiver.receiver.track);
    }
    await peer.setLocalDescription();
    await gathered(peer);
    return JSON.parse(JSON.stringify(peer.localDescription));
  }

  return {clients, answer};
})();
