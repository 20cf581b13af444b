// One line for each request, in the combined format that web servers write.
import type { Caller } from './caller.ts'
import { valuesOf } from './request-head.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `10.0.0.1 - - [23/Nov/2026:14:02:03 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8"`; `arrivedMs` since 1970. */
export function accessLine(caller: Caller, arrivedMs: number): string {
  const { head, address, protocol, status, bytesSent } = caller
  const quoted = (name: string) => quotedText(valuesOf(head, name)[0] ?? '')
  const line = quotedText(`${head.method} ${head.target} ${protocol}`)
  return `${address} - - [${stamp(arrivedMs)}] ${line} ${status} ${bytesSent} ${quoted('referer')} ${quoted('user-agent')}`
}

function stamp(ms: number): string {
  const at = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`
  return `${two(at.getUTCDate())}/${months[at.getUTCMonth()]}/${at.getUTCFullYear()}:${time} +0000`
}

/** What ends a field or a line is written as JSON does. */
function quotedText(text: string): string {
  return JSON.stringify(text)
}
