// What the secure port answers: upstream's paths, statuses and words.
import type { Registry } from 'prom-client'
import { type Log, messageOf } from '#kube/log.ts'

interface InstrumentAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

const check = 'Descheduler'

/** Answers a request by its method and target. Scrapes at the same time share one rendering. No sockets; never throws. */
export function answerInstruments(options: {
  /** Absent: `--disable-metrics`. */
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'> | undefined
  readonly log: Log
}): (method: string, target: string) => Promise<InstrumentAnswer> {
  const { metrics, log } = options
  let rendering: Promise<string> | undefined
  const render = async (of: NonNullable<typeof metrics>): Promise<InstrumentAnswer> => {
    rendering ??= of.metrics().finally(() => (rendering = undefined))
    try {
      return { status: 200, contentType: of.contentType, body: await rendering }
    } catch (error) {
      log.error({ why: messageOf(error) }, 'metrics could not be collected')
      return text(500, 'metrics could not be collected\n')
    }
  }
  return async (method, target) => {
    const url = URL.parse(target, 'https://descheduler')
    if (url === null) return text(400, 'bad path\n')
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET is answered\n')
    if (url.pathname === '/metrics' && metrics !== undefined) return await render(metrics)
    if (url.pathname === `/healthz/${check}`) return text(200, 'ok')
    if (url.pathname !== '/healthz') return text(404, '404 page not found\n')
    if (!url.searchParams.has('verbose')) return text(200, 'ok')
    const isExcluded = url.searchParams.getAll('exclude').includes(check)
    return text(200, `[+]${check} ${isExcluded ? 'excluded: ok' : 'ok'}\nhealthz check passed\n`)
  }
}

function text(status: number, body: string): InstrumentAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body }
}
