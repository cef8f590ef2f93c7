// SIP over WebSocket (RFC 7118) for the telephones of browser_phone.js: one line, one call at a time.
globalThis.sip = (() => {
  const token = () => Math.random().toString(36).slice(2);

  class Message {
    constructor(text) {
      const at = text.indexOf('\r\n\r\n');
      this.body = text.slice(at + 4);
      [this.start, ...this.lines] = text.slice(0, at).split('\r\n');
      this.status = this.start.startsWith('SIP/2.0 ') ? Number(this.start.split(' ')[1]) : 0;
      this.method = this.status ? this.get('CSeq').split(' ')[1] : this.start.split(' ')[0];
    }

    all(name) {
      return this.lines.filter(line => line.toLowerCase().startsWith(name.toLowerCase() + ':')).map(line => line.slice(name.length + 1).trim());
    }

    get(name) { return this.all(name)[0] ?? ''; }
  }

  const tag = value => (value.match(/;tag=([^;>\s]+)/) ?? [])[1];
  const uri = value => (value.match(/<([^>]+)>/) ?? [, value])[1];

  class Line {
    constructor(url, user, phone) {
      Object.assign(this, {user, phone, url, number: 0, waiting: new Map(), dialog: null, ended: false, error: ''});
      this.host = token() + '.invalid';
    }

    open() {
      this.socket = new WebSocket(this.url, 'sip');
      this.socket.onmessage = ({data}) => this.receive(new Message(data)).catch(error => { this.error = String(error.stack); });
      return new Promise((done, failed) => {
        this.socket.onopen = () => done();
        this.socket.onerror = () => failed(new Error('no WebSocket to ' + this.url));
      });
    }

    write(start, headers, body = '') {
      const lines = [start, ...headers, ...(body ? ['Content-Type: application/sdp'] : []), 'Content-Length: ' + new Blob([body]).size];
      this.socket.send(lines.join('\r\n') + '\r\n\r\n' + body);
    }

    get contact() { return `Contact: <sip:${this.user}@${this.host};transport=ws>`; }

    // The final response; an INVITE is acknowledged.
    async ask(method, target, {from, to, id, routes = []}, body) {
      const number = ++this.number;
      const common = [`From: ${from}`, `Call-ID: ${id}`, 'Max-Forwards: 70'];
      const via = () => `Via: SIP/2.0/WS ${this.host};branch=z9hG4bK${token()}`;
      const answered = new Promise(done => this.waiting.set(`${number} ${method}`, done));
      this.write(`${method} ${target} SIP/2.0`, [via(), ...common, `To: ${to}`, `CSeq: ${number} ${method}`, ...routes, this.contact], body);
      const answer = await answered;
      if (method === 'INVITE' && answer.status < 300) {
        const path = this.dialog ? routes : answer.all('Record-Route').reverse().map(one => 'Route: ' + one);
        this.write(`ACK ${uri(answer.get('Contact'))} SIP/2.0`, [via(), ...common, `To: ${answer.get('To')}`, `CSeq: ${number} ACK`, ...path]);
      }
      if (answer.status >= 300) throw new Error(`${method}: ${answer.start}`);
      return answer;
    }

    register(domain) {
      const us = `<sip:${this.user}@${domain}>`;
      return this.ask('REGISTER', 'sip:' + domain, {from: `${us};tag=${token()}`, to: us, id: token()}).then(answer => answer.status);
    }

    async call(target, domain) {
      const head = {from: `<sip:${this.user}@${domain}>;tag=${token()}`, to: `<${target}>`, id: token()};
      const answer = await this.ask('INVITE', target, head, await this.phone.offer());
      this.dialog = {...head, to: answer.get('To'), target: uri(answer.get('Contact')),
                     routes: answer.all('Record-Route').reverse().map(one => 'Route: ' + one)};
      await this.phone.take(answer.body);
    }

    async again(options) {
      await this.phone.take((await this.ask('INVITE', this.dialog.target, this.dialog, await this.phone.offer(options))).body);
    }

    async hang_up() {
      await this.ask('BYE', this.dialog.target, this.dialog);
      this.ended = true;
    }

    reply(request, status, reason, body) {
      const to = request.get('To') + (tag(request.get('To')) ? '' : `;tag=${this.own ??= token()}`);
      const same = ['Via', 'Record-Route'].flatMap(name => request.all(name).map(value => `${name}: ${value}`));
      this.write(`SIP/2.0 ${status} ${reason}`, [...same, ...['From', 'Call-ID', 'CSeq'].map(name => `${name}: ${request.get(name)}`),
                                                 `To: ${to}`, this.contact], body);
      return to;
    }

    async receive(message) {
      if (message.status) {
        const key = message.get('CSeq');
        if (message.status >= 200 && this.waiting.has(key)) {
          this.waiting.get(key)(message);
          this.waiting.delete(key);
        }
      } else if (message.method === 'INVITE') {
        if (!tag(message.get('To'))) this.reply(message, 180, 'Ringing');
        const to = this.reply(message, 200, 'OK', await this.phone.answer(message.body));
        this.dialog ??= {from: to, to: message.get('From'), id: message.get('Call-ID'), target: uri(message.get('Contact')),
                         routes: message.all('Record-Route').map(one => 'Route: ' + one)};
      } else if (message.method === 'BYE') {
        this.reply(message, 200, 'OK');
        this.ended = true;
      } else if (message.method !== 'ACK') {
        this.reply(message, 200, 'OK');
      }
    }
  }

  return {Line};
})();
