// The test page of `strowger echo server`: sends a picture, a tone and messages, and shows what comes back.

const gathering_limit = 3000;  // ms; a candidate that takes longer is not worth the wait
const sample_interval = 500;
const samples_kept = 120;      // a minute

const at = id => document.getElementById(id);
const sleep = ms => new Promise(done => setTimeout(done, ms));

/** What has been reached, and how many milliseconds after the beginning. */
class Steps {
  constructor(list) {
    this.list = list;
    this.reached = {};
    list.replaceChildren();
    this.begun = performance.now();
  }

  reach(name, wrong = false) {
    if (name in this.reached) return;
    this.reached[name] = performance.now() - this.begun;
    const item = document.createElement('li');
    const time = document.createElement('time');
    time.textContent = `${this.reached[name].toFixed(0)} ms`;
    item.append(name, time);
    if (wrong) item.className = 'wrong';
    this.list.append(item);
  }
}

/** The last minute of one quantity as a line. */
class Chart {
  constructor(name, text) {
    this.canvas = at(name);
    this.now = at(name + '-now');
    this.text = text;
    this.values = [];
  }

  add(value) {
    if (value === undefined || Number.isNaN(value)) return;
    this.values.push(value);
    if (this.values.length > samples_kept) this.values.shift();
    this.now.textContent = this.text(value);
    this.draw();
  }

  draw() {
    const {canvas, values} = this;
    const scale = devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = canvas.clientHeight * scale;
    const pen = canvas.getContext('2d');
    const top = Math.max(...values) * 1.2 || 1;
    const x = i => (i + samples_kept - values.length) / (samples_kept - 1) * canvas.width;
    const y = value => canvas.height - 2 * scale - value / top * (canvas.height - 4 * scale);
    pen.strokeStyle = getComputedStyle(canvas).getPropertyValue('--line') || '#1a73a8';
    pen.lineWidth = 2 * scale;
    pen.beginPath();
    values.forEach((value, i) => i ? pen.lineTo(x(i), y(value)) : pen.moveTo(x(i), y(value)));
    pen.stroke();
  }
}

/** A picture with a clock in it, and a soft tone: media that needs neither camera nor permission. */
function drawn() {
  const canvas = document.createElement('canvas');
  canvas.width = 640;
  canvas.height = 480;
  const pen = canvas.getContext('2d');
  const paint = () => {
    const turn = performance.now() / 4000 * 2 * Math.PI;
    pen.fillStyle = '#184a6b';
    pen.fillRect(0, 0, 640, 480);
    pen.fillStyle = '#f2b134';
    pen.beginPath();
    pen.arc(320 + 180 * Math.cos(turn), 240 + 140 * Math.sin(turn), 40, 0, 7);
    pen.fill();
    pen.fillStyle = '#fff';
    pen.font = '48px monospace';
    pen.fillText(new Date().toISOString().slice(11, 23), 130, 255);
  };
  paint();
  const painting = setInterval(paint, 33);
  const sound = new AudioContext();
  const tone = sound.createOscillator();
  const quiet = sound.createGain();
  const out = sound.createMediaStreamDestination();
  quiet.gain.value = 0.1;
  tone.connect(quiet).connect(out);
  tone.start();
  const stream = canvas.captureStream(30);
  stream.addTrack(out.stream.getAudioTracks()[0]);
  return {stream, stop: () => { clearInterval(painting); sound.close(); }};
}

async function filmed() {
  if (!navigator.mediaDevices) throw new Error('the browser gives cameras to HTTPS pages and localhost alone');
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 640, height: 480}});
  return {stream, stop: () => stream.getTracks().forEach(track => track.stop())};
}

/** One session with the server, from its beginning to its end. */
class Session {
  constructor(media) {
    this.media = media;
    this.steps = new Steps(at('steps'));
    this.charts = {
      round_trip: new Chart('round-trip', value => `${value.toFixed(1)} ms`),
      rate: new Chart('rate', value => `${value.toFixed(0)} kbit/s`),
      loss: new Chart('loss', value => `${value.toFixed(1)} %`),
      channel: new Chart('channel', value => `${value.toFixed(2)} ms`),
    };
    this.messages = 0;
    this.frames = 0;
    this.before = null;
    this.peer = new RTCPeerConnection();
    this.ended = false;
  }

  async begin() {
    const {peer, steps} = this;
    peer.ontrack = ({track}) => this.show(track);
    peer.onconnectionstatechange = () => this.changed();
    peer.oniceconnectionstatechange = () => {
      if (['connected', 'completed'].includes(peer.iceConnectionState)) steps.reach('path found (ICE)');
    };
    this.media.stream.getTracks().forEach(track => peer.addTrack(track, this.media.stream));
    this.open_channel();
    await peer.setLocalDescription();
    steps.reach('offer made');
    await Promise.race([this.gathered(), sleep(gathering_limit)]);
    steps.reach('candidates gathered');
    const answer = await fetch('offer', {method: 'POST', body: JSON.stringify(peer.localDescription),
                                         headers: {'Content-Type': 'application/json'}});
    if (!answer.ok) throw new Error(`the server answered ${answer.status}: ${await answer.text()}`);
    steps.reach('answer received');
    await peer.setRemoteDescription(await answer.json());
    this.sampling = setInterval(() => this.sample(), sample_interval);
  }

  gathered() {
    return new Promise(done => {
      const look = () => { if (this.peer.iceGatheringState === 'complete') done(); };
      this.peer.addEventListener('icegatheringstatechange', look);
      look();
    });
  }

  show(track) {
    const video = at('came');
    video.srcObject ??= new MediaStream();
    video.srcObject.addTrack(track);
    video.muted = !at('hear').checked;
    if (track.kind !== 'video' || !video.requestVideoFrameCallback) return;
    const seen = () => {
      if (this.ended) return;
      this.steps.reach('first picture came back');
      at('frames').textContent = `(${++this.frames} pictures)`;
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
  }

  changed() {
    const {connectionState: state} = this.peer;
    at('state').textContent = `The session is ${state}.`;
    if (state === 'connected') this.steps.reach('keys agreed (DTLS)');
    if (state === 'failed') this.steps.reach('failed', true);
  }

  open_channel() {
    const channel = this.peer.createDataChannel('echo');
    const ping = () => channel.readyState === 'open' && channel.send(String(performance.now()));
    channel.onopen = () => {
      this.steps.reach('channel open');
      ping();
      this.pinging = setInterval(ping, sample_interval);
    };
    channel.onmessage = ({data}) => {
      this.steps.reach('first message came back');
      ++this.messages;
      this.charts.channel.add(performance.now() - Number(data));
    };
  }

  async sample() {
    const now = {bytes: 0, packets: 0, lost: 0, at: performance.now()};
    (await this.peer.getStats()).forEach(entry => {
      if (entry.type === 'inbound-rtp') {
        now.bytes += entry.bytesReceived;
        now.packets += entry.packetsReceived;
        now.lost += entry.packetsLost;
      } else if (entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') {
        now.round_trip = entry.currentRoundTripTime * 1000;
      }
    });
    const before = this.before;
    this.before = now;
    this.charts.round_trip.add(now.round_trip);
    if (!before) return;
    this.charts.rate.add((now.bytes - before.bytes) * 8 / (now.at - before.at));
    const lost = Math.max(now.lost - before.lost, 0);
    const all = lost + now.packets - before.packets;
    if (all > 0) this.charts.loss.add(lost / all * 100);
  }

  end() {
    this.ended = true;
    clearInterval(this.sampling);
    clearInterval(this.pinging);
    this.peer.close();
    this.media.stop();
    at('sent').srcObject = at('came').srcObject = null;
    at('state').textContent = 'Ended.';
  }
}

let session = null;

async function start() {
  const media = await (document.querySelector('[name=source]:checked').value === 'camera' ? filmed() : drawn());
  at('sent').srcObject = media.stream;
  session = new Session(media);
  at('start').textContent = 'Stop';
  await session.begin();
}

function stop() {
  session?.end();
  session = null;
  at('start').textContent = 'Start';
}

at('controls').addEventListener('submit', async event => {
  event.preventDefault();
  if (session) return stop();
  at('state').textContent = 'Connecting …';
  try {
    await start();
  } catch (error) {
    stop();
    at('state').textContent = `It did not work: ${error.message}`;
  }
});
at('hear').addEventListener('change', () => { at('came').muted = !at('hear').checked; });

// For whoever looks from outside: the tests do.
globalThis.echo = {get session() { return session; }};
