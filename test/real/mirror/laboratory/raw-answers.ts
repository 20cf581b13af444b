// Requests as they go over the wire, asked from within a node, and what came back: for what no client sends, or does not show.
import { spawn } from 'node:child_process'
import * as z from 'zod'

/** What came back for one request. */
export interface RawAnswer {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The beginning of its digest, and how many bytes it has. */
  readonly body: string
}

export interface RawAsk {
  /** Requests after each other on one connection. */
  readonly text: string
  /** Each is sent when the one before is answered; otherwise all at once. */
  readonly isInTurn?: boolean
  /** Connections that ask it at the same time; default: 1. */
  readonly times?: number
}

const answers = z.array(z.array(z.object({ status: z.number(), headers: z.record(z.string(), z.string()), body: z.string() })))

/** A program of its own, since it runs in the node's namespace. */
const asker = `
const { connect } = require('node:net')
const { createHash } = require('node:crypto')
const [host, port] = process.argv.slice(1)
const limitMs = 30_000
const next = (bytes, method, isOver) => {
  const end = bytes.indexOf('\\r\\n\\r\\n')
  if (end < 0) return undefined
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\\r\\n')
  const headers = {}
  for (const line of lines) {
    const at = line.indexOf(':')
    const name = line.slice(0, at).toLowerCase()
    headers[name] = name in headers ? headers[name] + ', ' + line.slice(at + 1).trim() : line.slice(at + 1).trim()
  }
  const start = end + 4
  const status = Number(first.split(' ')[1])
  const done = (body, rest) => {
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 16)
    return { answer: { status, headers, body: body.length === 0 ? 'none' : hash + ' of ' + body.length }, rest }
  }
  if (method === 'HEAD' || status === 100 || status === 204 || status === 304) return done(Buffer.alloc(0), bytes.subarray(start))
  if (headers['transfer-encoding'] === 'chunked') {
    const pieces = []
    for (let at = start; ; ) {
      const line = bytes.indexOf('\\r\\n', at)
      if (line < 0) return undefined
      const size = parseInt(bytes.subarray(at, line).toString(), 16)
      if (bytes.length < line + 4 + size) return undefined
      pieces.push(bytes.subarray(line + 2, line + 2 + size))
      at = line + 4 + size
      if (size === 0) return done(Buffer.concat(pieces), bytes.subarray(at))
    }
  }
  if (headers['content-length'] === undefined) return isOver ? done(bytes.subarray(start), Buffer.alloc(0)) : undefined
  const length = Number(headers['content-length'])
  if (bytes.length < start + length) return undefined
  return done(bytes.subarray(start, start + length), bytes.subarray(start + length))
}
const ask = (text, isInTurn) => new Promise(resolve => {
  const methods = [...text.matchAll(/^([A-Za-z]+) \\S+ HTTP\\//gm)].map(([, method]) => method)
  const wanted = Math.max(1, methods.length)
  const seen = []
  const parts = isInTurn ? text.split(/(?<=\\r\\n\\r\\n)/) : [text]
  const chunks = []
  const socket = connect(Number(port), host)
  const read = isOver => {
    let rest = Buffer.concat(chunks)
    for (;;) {
      const found = next(rest, methods[seen.length], isOver)
      if (found === undefined) break
      rest = found.rest
      if (found.answer.status === 100) continue
      seen.push(found.answer)
      if (parts.length > 0) socket.write(parts.shift(), 'latin1')
    }
    chunks.splice(0, chunks.length, rest)
    if (seen.length >= wanted) socket.destroy()
  }
  let held = 0
  socket.setTimeout(limitMs, () => socket.destroy())
  socket.on('connect', () => socket.write(parts.shift(), 'latin1'))
  socket.on('data', chunk => {
    chunks.push(chunk)
    held += chunk.length
    // A large body is not put together anew with each of its pieces.
    if (held > 4_000_000 || chunk.length < 16_384) { held = 0; read(false) }
    else setImmediate(() => { if (!socket.destroyed) { held = 0; read(false) } })
  })
  socket.on('error', () => undefined)
  socket.on('close', () => { read(true); resolve(seen) })
})
let input = ''
process.stdin.on('data', piece => { input += piece }).on('end', async () => {
  const all = []
  for (const { text, times = 1, isInTurn = false } of JSON.parse(input)) all.push((await Promise.all(Array.from({ length: times }, () => ask(text, isInTurn)))).flat())
  console.log(JSON.stringify(all))
})
`

/** Asks one after the other; for each what came back, as far as it came. */
export async function rawAnswers(
  from: { readonly namespace: string },
  to: { readonly host: string; readonly port: number },
  asks: readonly RawAsk[],
): Promise<readonly (readonly RawAnswer[])[]> {
  const args = ['netns', 'exec', from.namespace, process.execPath, '-e', asker, to.host, String(to.port)]
  const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(asks))
  const pieces: Buffer[] = []
  for await (const piece of child.stdout) pieces.push(piece)
  return answers.parse(JSON.parse(Buffer.concat(pieces).toString('utf8')))
}
