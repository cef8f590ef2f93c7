// A WebRTC stack of Node as client of an echo server, or as the echo server itself.
//
//   echo_peer.mjs werift|node-datachannel client URL 0|1|2     status 0: passed; prints what it saw as JSON
//   echo_peer.mjs werift|node-datachannel server ADDRESS PORT  until it is ended
import http from 'node:http';

const [stack, role, ...rest] = process.argv.slice(2);
const limit = 15000;
const packets = 50;

const sleep = ms => new Promise(done => setTimeout(done, ms));
const within = (promise, what) => Promise.race(
    [promise, sleep(limit).then(() => { throw new Error(`${what}: not within ${limit} ms`); })]);

async function post(url, description) {
  const answer = await fetch(url, {method: 'POST', body: JSON.stringify(description),
                                   headers: {'Content-Type': 'application/json'}});
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

/** Payloads that can be told to have come back as they were. */
const payload = number => Buffer.from(Array.from({length: 60}, (_, i) => (number * 31 + i * 7) & 255));

function rtpPacket(number, type, ssrc) {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = type;
  header.writeUInt16BE(1000 + number, 2);
  header.writeUInt32BE(number * 960, 4);
  header.writeUInt32BE(ssrc, 8);
  return Buffer.concat([header, payload(number)]);
}

const echoText = 'echo-' + Math.random().toString(36).slice(2, 7);

function serve(answer) {
  const [address, port] = rest;
  http.createServer((request, response) => {
    let body = '';
    request.on('data', part => { body += part; });
    request.on('end', async () => {
      try {
        const text = JSON.stringify(await answer(JSON.parse(body)));
        response.writeHead(200, {'Content-Type': 'application/json'}).end(text);
      } catch (error) {
        response.writeHead(500).end(String(error.stack));
      }
    });
  }).listen(Number(port), address, () => console.log('ready'));
}

// ---- werift

async function werift() {
  const {RTCPeerConnection, MediaStreamTrack, RtpPacket, RtpHeader} = await import('werift');
  const make = () => new RTCPeerConnection({iceServers: []});  // it would ask a public one

  async function connect(peer, url) {
    await peer.setLocalDescription(await peer.createOffer());
    const begun = performance.now();
    const connected = new Promise(done => peer.connectionStateChange.subscribe(
        state => { if (state === 'connected') done(performance.now() - begun); }));
    await peer.setRemoteDescription(await post(url, peer.localDescription));
    return within(connected, 'connection');
  }

  async function media(peer, url) {
    const track = new MediaStreamTrack({kind: 'audio'});
    const transceiver = peer.addTransceiver(track, {direction: 'sendrecv'});
    let right = 0;
    const all = new Promise(done => transceiver.onTrack.subscribe(back => back.onReceiveRtp.subscribe(packet => {
      const number = (packet.header.timestamp / 960) | 0;
      if (Buffer.compare(packet.payload, payload(number)) === 0 && ++right === packets) done();
    })));
    const connected = await connect(peer, url);
    for (let i = 0; i < packets; ++i) {
      track.writeRtp(new RtpPacket(new RtpHeader({sequenceNumber: 1000 + i, timestamp: i * 960, payloadType: 96,
                                                  marker: i === 0}), payload(i)));
      await sleep(10);
    }
    await within(all, 'media').catch(() => { throw new Error(`${right} of ${packets} packets came back`); });
    return {connected, packets: right};
  }

  async function channel(peer, url) {
    const open = peer.createDataChannel('echo');
    const back = new Promise(done => open.onMessage.subscribe(done));
    open.stateChanged.subscribe(state => { if (state === 'open') open.send(Buffer.from(echoText).toString()); });
    const connected = await connect(peer, url);
    const text = await within(back, 'message');
    if (text !== echoText) throw new Error(`sent ${echoText}, got ${text}`);
    return {connected, text};
  }

  async function connection(peer, url) {
    peer.addTransceiver('audio', {direction: 'sendrecv'});
    peer.addTransceiver('video', {direction: 'sendrecv'});
    return {connected: await connect(peer, url)};
  }

  if (role === 'client') {
    const peer = make();
    const done = await [connection, channel, media][Number(rest[1])](peer, rest[0]);
    await peer.close();
    return done;
  }
  serve(async offer => {
    const peer = make();
    peer.onDataChannel.subscribe(open => open.onMessage.subscribe(message => open.send(message)));
    peer.onTransceiverAdded.subscribe(transceiver => {
      const back = new MediaStreamTrack({kind: transceiver.kind});
      transceiver.sender.replaceTrack(back);
      transceiver.onTrack.subscribe(track => track.onReceiveRtp.subscribe(packet => back.writeRtp(packet)));
    });
    await peer.setRemoteDescription(offer);
    for (const transceiver of peer.getTransceivers()) transceiver.setDirection('sendrecv');
    await peer.setLocalDescription(await peer.createAnswer());
    const {type, sdp} = peer.localDescription;
    return {type, sdp};
  });
  return null;
}

// ---- node-datachannel: libdatachannel

async function nodeDatachannel() {
  const {default: ndc} = await import('node-datachannel');
  const peers = [];  // or they would be collected
  const make = () => {
    const peer = new ndc.PeerConnection('echo', {iceServers: [], disableAutoNegotiation: true});
    peers.push(peer);
    return peer;
  };
  const gathered = peer => new Promise(done => peer.onGatheringStateChange(state => {
    if (state === 'complete') done(peer.localDescription());
  }));

  async function connect(peer, url) {
    const local = gathered(peer);
    peer.setLocalDescription('offer');
    const {type, sdp} = await within(local, 'gathering');
    const begun = performance.now();
    const connected = new Promise(done => peer.onStateChange(
        state => { if (state === 'connected') done(performance.now() - begun); }));
    const answer = await post(url, {type, sdp});
    peer.setRemoteDescription(answer.sdp, answer.type);
    return within(connected, 'connection');
  }

  const sound = () => {
    const audio = new ndc.Audio('0', 'SendRecv');
    audio.addOpusCodec(111);
    audio.addSSRC(4242, 'peer', 'stream', 'track');
    return audio;
  };

  async function media(peer, url) {
    const track = peer.addTrack(sound());
    const open = new Promise(done => track.onOpen(done));
    let right = 0;
    let all;
    const whole = new Promise(done => { all = done; });
    track.onMessage(packet => {
      if ((packet[1] & 127) !== 111) return;  // RTCP
      const number = (packet.readUInt32BE(4) / 960) | 0;
      if (packet.subarray(-60).equals(payload(number)) && ++right === packets) all();
    });
    const connected = await connect(peer, url);
    await within(open, 'track');
    for (let i = 0; i < packets; ++i) {
      track.sendMessageBinary(rtpPacket(i, 111, 4242));
      await sleep(10);
    }
    await within(whole, 'media').catch(() => { throw new Error(`${right} of ${packets} packets came back`); });
    return {connected, packets: right};
  }

  async function channel(peer, url) {
    const open = peer.createDataChannel('echo');
    const back = new Promise(done => open.onMessage(done));
    open.onOpen(() => open.sendMessage(echoText));
    const connected = await connect(peer, url);
    const text = await within(back, 'message');
    if (text !== echoText) throw new Error(`sent ${echoText}, got ${text}`);
    return {connected, text};
  }

  async function connection(peer, url) {
    peer.addTrack(sound());
    return {connected: await connect(peer, url)};
  }

  if (role === 'client') {
    const peer = make();
    const done = await [connection, channel, media][Number(rest[1])](peer, rest[0]);
    peer.close();
    return done;
  }
  serve(async offer => {
    const peer = make();
    const local = gathered(peer);
    peer.onDataChannel(open => {
      peers.push(open);
      open.onMessage(message => typeof message === 'string' ? open.sendMessage(message)
                                                            : open.sendMessageBinary(message));
    });
    peer.onTrack(track => {
      peers.push(track);
      track.onMessage(packet => track.sendMessageBinary(packet));
    });
    peer.setRemoteDescription(offer.sdp, offer.type);
    peer.setLocalDescription('answer');
    const {type, sdp} = await within(local, 'gathering');
    return {type, sdp};
  });
  return null;
}

try {
  const done = await (stack === 'werift' ? werift() : nodeDatachannel());
  if (done) {
    console.log(JSON.stringify(done));
    process.exit(0);
  }
} catch (error) {
  console.error(String(error.stack));
  process.exit(1);
}
