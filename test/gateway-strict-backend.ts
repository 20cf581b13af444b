// A backend that writes down every byte it gets and understands as little as it can: what a gateway sends is to be plain to the strictest
// reader. And a client that sends bytes as they are.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const endOfHead = '\r\n\r\n'

interface Message {
  /** From the first line to the last byte of the body. */
  readonly text: string
  readonly firstLine: string
  readonly headers: ReadonlyMap<string, string>
}

/**
 * The first whole HTTP/1.1 message of `text` (latin1), or undefined while it is not whole. `hasBody` says of answers whether one follows the
 * head. What frames a body twice or in a strange way is never whole.
 */
export function firstMessage(text: string, hasBody: (firstLine: string) => boolean = () => true): Message | undefined {
  const end = text.indexOf(endOfHead)
  if (end < 0) return undefined
  const [firstLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    headers.set(name, [headers.get(name), line.slice(colon + 1).trim()].filter(one => one !== undefined).join(', '))
  }
  const bodyAt = end + endOfHead.length
  const length = hasBody(firstLine) ? bodyLength(text, bodyAt, headers) : 0
  if (length === undefined || text.length < bodyAt + length) return undefined
  return { text: text.slice(0, bodyAt + length), firstLine, headers }
}

function bodyLength(text: string, at: number, headers: ReadonlyMap<string, string>): number | undefined {
  const [encoding, length] = [headers.get('transfer-encoding'), headers.get('content-length')]
  if (encoding !== undefined) return encoding === 'chunked' && length === undefined ? chunkedLength(text, at) : undefined
  if (length === undefined) return 0
  return /^\d{1,9}$/.test(length) ? Number(length) : undefined
}

function chunkedLength(text: string, from: number): number | undefined {
  for (let at = from; ; ) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return undefined
    const size = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(text.slice(at, end))?.[1]
    if (size === undefined) return undefined
    at = end + 2 + Number.parseInt(size, 16) + 2
    if (Number.parseInt(size, 16) > 0) continue
    // Trailers end as heads do.
    const trailersAt = end + 2
    if (text.startsWith('\r\n', trailersAt)) return trailersAt + 2 - from
    const trailersEnd = text.indexOf(endOfHead, trailersAt)
    return trailersEnd < 0 ? undefined : trailersEnd + endOfHead.length - from
  }
}

/** What is answered to a request; `undefined`: nothing, and the connection stays open. */
export type Answer = (request: Message) => string | undefined

const plain = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok'

export interface StrictBackend extends AsyncDisposable {
  readonly port: number
  /** Whole requests since the last {@link reset}. */
  readonly requests: readonly Message[]
  /** Bytes that are no whole request. */
  rest(): string
  /** Forgets what came, and answers so from now on. */
  reset(answer?: Answer): void
}

/** Answers every whole request with 200 unless told otherwise; after an answer 101 it sends back what it gets. */
export async function startStrictBackend(host = '127.0.0.1'): Promise<StrictBackend> {
  const requests: Message[] = []
  const sockets = new Set<Socket>()
  const rests = new Map<Socket, string>()
  let answerOf: Answer = () => plain
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined) // who leaves early has its reason, and what it sent is written down
    let text = ''
    let isSplice = false
    socket.on('data', chunk => {
      if (isSplice) return void socket.write(chunk)
      text += chunk.toString('latin1')
      for (let message = firstMessage(text); message !== undefined; message = firstMessage(text)) {
        requests.push(message)
        text = text.slice(message.text.length)
        const answer = answerOf(message)
        if (answer === undefined) break
        socket.write(Buffer.from(answer, 'latin1'))
        isSplice = /^HTTP\/1\.1 101 /m.test(answer)
        if (/^connection: close\r$/im.test(answer)) socket.end()
      }
      rests.set(socket, text)
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    rest: () => [...rests.values()].join(''),
    reset(answer = () => plain) {
      requests.length = 0
      rests.clear()
      answerOf = answer
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export interface RawExchange {
  /** Sent at once, latin1. */
  readonly sent: string
  /** Sent after the first final answer or 101. */
  readonly after?: string
  /** Final answers that are waited for; default 1. */
  readonly answers?: number
  /** The request is a HEAD: no answer has a body. */
  readonly isHead?: boolean
  /** Waited for after {@link after}. */
  readonly until?: string
}

/** How a client waits for what may never come. */
export interface Patience {
  /** Lets others go on. */
  turn(): Promise<void>
  readonly mostTurns: number
  /** Turns after what was wanted: more than that has to be there by then. */
  readonly moreTurns: number
}

/** All that came back, latin1, until the wanted answers are whole or the connection ends. */
export async function exchangeRaw(port: number, exchange: RawExchange, patience: Patience): Promise<string> {
  const { sent, after, answers = 1, isHead = false, until } = exchange
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let got = ''
  let state: 'waits' | 'has all' | 'is over' = 'waits'
  let isAfterSent = false
  socket.on('data', chunk => {
    got += chunk.toString('latin1')
    const { finals, hasSwitched } = countedAnswers(got, isHead)
    const isWhole = hasSwitched || finals >= answers
    if (isWhole && after !== undefined && !isAfterSent) {
      isAfterSent = true
      socket.write(Buffer.from(after, 'latin1'))
    }
    if (state === 'waits' && isWhole && (until === undefined || got.includes(until))) state = 'has all'
  })
  const isOver = () => {
    state = 'is over'
  }
  socket.on('error', isOver)
  socket.on('close', isOver)
  socket.write(Buffer.from(sent, 'latin1'))
  const now = (): typeof state => state
  for (let turn = 0; turn < patience.mostTurns && now() === 'waits'; turn++) await patience.turn()
  for (let turn = 0; turn < patience.moreTurns && now() === 'has all'; turn++) await patience.turn()
  socket.destroy()
  return got
}

/** Final answers that are whole; those of 1xx are none. */
function countedAnswers(text: string, isHead: boolean): { readonly finals: number; readonly hasSwitched: boolean } {
  let rest = text
  let finals = 0
  for (;;) {
    const message = firstMessage(rest, line => !isHead && !/^HTTP\/1\.\d (1\d\d|204|304)\b/.test(line))
    if (message === undefined) return { finals, hasSwitched: false }
    if (/^HTTP\/1\.\d 101\b/.test(message.firstLine)) return { finals, hasSwitched: true }
    if (!/^HTTP\/1\.\d 1\d\d\b/.test(message.firstLine)) finals++
    rest = rest.slice(message.text.length)
  }
}
