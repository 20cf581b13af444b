// Answers of real servers as `test/real/scalers/record.ts` wrote them down, and servers that give them again.
import { lineServer } from '../src/capabilities/autoscale/scalers/testdata/line-server.ts'
import { saying, sourceServer } from '../src/capabilities/autoscale/scalers/testdata/source-server.ts'

export interface RecordedServer {
  readonly version: string
  readonly command: string
  readonly wire: 'bytes' | 'http'
  /** By what was asked: all bytes of a connection so far, or the key of a request. */
  readonly answers: Readonly<Record<string, string | { readonly status: number; readonly body: string }>>
}

interface Asked {
  readonly method?: string | undefined
  readonly path: string
  readonly body: string
  readonly authorization?: string | undefined
}

/** The key of a request: its path without its time, and what else tells it from others. A signature differs each time, and stays out. */
export function askedKey({ method = 'GET', path, body, authorization = '' }: Asked): string {
  const login = authorization === '' || authorization.startsWith('AWS4-') ? [] : [`as ${authorization}`]
  return [...(method === 'GET' ? [] : [method]), path.replace(/&time=[^&]*/, ''), ...(body === '' ? [] : [body]), ...login].join(
    ' ',
  )
}

/** At `address`, host:port. What was not recorded is not answered well. */
export async function replayed({ wire, answers }: RecordedServer): Promise<{ readonly address: string } & AsyncDisposable> {
  if (wire === 'bytes') {
    const before = new WeakMap<object, string>()
    return await lineServer((asked, socket) => {
      const all = (before.get(socket) ?? '') + asked
      before.set(socket, all)
      const answer = answers[all]
      return typeof answer === 'string' ? answer : '-ERR not recorded\r\n'
    })
  }
  const server = await sourceServer((request, response) => {
    const { method, headers } = request
    // It was noted right before.
    const { path = '', body = '' } = server.asked.at(-1) ?? {}
    const answer = answers[askedKey({ method, path, body, authorization: headers.authorization })]
    if (typeof answer === 'object') saying(answer.body, 'application/json', answer.status)(request, response)
    else saying('not recorded', 'text/plain', 599)(request, response)
  })
  return { address: new URL(server.url).host, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}
