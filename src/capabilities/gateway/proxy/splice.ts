// Two connections as one, for what is no HTTP any more.
import type { Duplex } from 'node:stream'
import type { Upgraded } from './forward-http1.ts'

interface Spliced {
  readonly taken: { readonly socket: Duplex; readonly first: Buffer }
  readonly upgraded: Upgraded
  readonly extraHeaders: readonly string[]
  readonly moved: () => void
  /** Called once, when both are closed. */
  readonly onEnd: () => void
}

/** Tells the client of the other protocol, and passes bytes until both sides have ended. @returns what ends it */
export function splice({ taken, upgraded, extraHeaders, moved, onEnd }: Spliced): () => void {
  const { socket: client, first: early } = taken
  const { socket: target, first: late, headers } = upgraded
  let open = 2
  const end = () => {
    client.destroy()
    target.destroy()
  }
  const closed = () => {
    // The other side may still have something to say, but nobody hears it.
    end()
    if (--open === 0) onEnd()
  }
  for (const [from, to] of [
    [client, target],
    [target, client],
  ] as const) {
    from.on('data', moved)
    from.on('error', end)
    from.on('close', closed)
    from.pipe(to)
  }
  client.write(Buffer.from(headText(upgraded, [...extraHeaders, ...headers]), 'latin1'))
  if (late.length > 0) client.write(late)
  if (early.length > 0) target.write(early)
  return end
}

function headText({ status, reason, protocol }: Upgraded, headers: readonly string[]): string {
  const lines = [`HTTP/1.1 ${status} ${reason}`, 'Connection: Upgrade', `Upgrade: ${protocol}`]
  for (let at = 0; at + 1 < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}
