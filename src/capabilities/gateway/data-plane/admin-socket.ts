// HAProxy's administration: a socket that takes lines of commands and answers in text.
import { connect } from 'node:net'
import type { Clock } from '#kube/clock.ts'

/** A line of commands is at most so long: HAProxy reads it into one buffer. */
const mostLineBytes = 16 * 1024
/** The counts of 100,000 routes fit. */
const mostAnswerBytes = 64 * 1024 * 1024
const answerMs = 4_000

export interface AdminSocket {
  /** The answer to one line. @throws Error where none comes */
  ask(line: string): Promise<string>
}

export function adminSocket(path: string, clock: Clock): AdminSocket {
  return {
    ask: line => {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const socket = connect(path)
      const chunks: Buffer[] = []
      let bytes = 0
      const late = clock.schedule(answerMs, () => socket.destroy(new Error(`no answer within ${answerMs} ms`)))
      socket.on('connect', () => void socket.write(`${line}\n`))
      socket.on('data', chunk => {
        bytes += chunk.length
        if (bytes > mostAnswerBytes) socket.destroy(new Error(`an answer of more than ${mostAnswerBytes} bytes`))
        else chunks.push(chunk)
      })
      socket.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
      socket.on('error', error => reject(new Error(`HAProxy's administration: ${error.message}`, { cause: error })))
      socket.on('close', () => {
        late()
        reject(new Error("HAProxy's administration closed the connection before it answered"))
      })
      return promise
    },
  }
}

/** Commands put together into lines that are not too long. */
export function linesOf(commands: readonly string[]): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const command of commands) {
    if (line !== '' && line.length + command.length + 1 > mostLineBytes) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? command : `${line};${command}`
  }
  if (line !== '') lines.push(line)
  return lines
}

/** What HAProxy says of commands that it did not follow; undefined: it followed all. */
export function complaintOf(answer: string): string | undefined {
  const said = answer
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
  return said.length === 0 ? undefined : said.slice(0, 3).join('; ')
}
