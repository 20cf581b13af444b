// Addresses to listen on, as Go programs take them.
import { isIP } from 'node:net'
import type { Parsed } from '#kube/problem.ts'

export interface ListenAddress {
  /** `undefined`: every address. */
  readonly host: string | undefined
  readonly port: number
}

/** `:5000`, `10.0.0.7:29999`, `[fd00::7]:29999`, `localhost:5000`. */
export function parseListenAddress(text: string, where: string): Parsed<ListenAddress> {
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(text)
  const [, six, plain = '', digits = ''] = match ?? []
  const port = Number(digits)
  if (match === null || port > 65_535 || (six !== undefined && isIP(six) !== 6))
    return { ok: false, problem: { code: 'listen-address', where, found: text, expected: 'HOST:PORT or :PORT' } }
  const host = six ?? plain
  return { ok: true, value: { host: host === '' ? undefined : host, port } }
}
