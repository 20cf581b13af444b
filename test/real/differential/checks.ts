// Twin and kube-apiserver are asked the same by generated requests, and differ in nothing that is not known.
import { table } from '#dashboard/terminal/lines.ts'
import { twinMessage } from '#test/recorded-messages.ts'
import type { Check } from '../check.ts'
import { toBeMended } from './accepted.ts'
import { requestText } from './findings.ts'
import { messagePairs } from './messages.ts'
import { differentialRun, type OpenDifference, type Run, type RunOptions } from './run.ts'

export const differentialChecks: readonly Check[] = [
  differentialCheck('differential: a few hundred requests to every kind', { minor: '1.36', perKind: 5 }),
  differentialCheck('differential: 20,000 requests to every kind', { minor: '1.36', perKind: 300 }),
  differentialCheck('differential: 5,000 requests to every kind of 1.34', { minor: '1.34', perKind: 75 }),
  messageCheck('differential: objects in protobuf, byte for byte', { minor: '1.36', perKind: 40 }),
]

/** The twin makes of an object the bytes that the real server sends of it. */
function messageCheck(name: string, { minor, perKind }: Pick<RunOptions, 'minor' | 'perKind'>): Check {
  return {
    name,
    async run() {
      const { serverVersion, pairs } = await messagePairs(minor, { seed: 1, perKind })
      const others = pairs.filter(
        ({ json, message }) => twinMessage(json) !== message && twinMessage(withNoBundle(json)) !== message,
      )
      if (others.length > 0)
        throw new Error(
          `${others.length} of ${pairs.length} differ\n${others.map(({ kind, json }) => `  ${kind} ${json.slice(0, 600)}`).join('\n')}`,
        )
      return `${pairs.length} objects of ${serverVersion}\n`
    },
  }
}

/** A bundle that was sent empty is written into a message and not into JSON, which cannot tell of it. */
function withNoBundle(json: string): string {
  return json.replaceAll('"clientConfig":{', '"clientConfig":{"caBundle":"",')
}

function differentialCheck(name: string, options: Pick<RunOptions, 'minor' | 'perKind'>): Check {
  return {
    name,
    async run() {
      const run = await differentialRun({ ...options, seed: 1, known: toBeMended(options.minor) })
      if (run.bugs.length > 0) throw new Error(`the twin broke: ${run.bugs.join('\n')}`)
      if (run.open.length > 0)
        throw new Error(
          `${run.open.length} differences are in no table\n${run.open.map(openText).join('\n')}\n${countsText(run)}`,
        )
      return `${requestsOf(run)} requests to ${run.serverVersion}\n${countsText(run)}\n`
    },
  }
}

function requestsOf({ counts }: Run): number {
  return counts.reduce((sum, { requests }) => sum + requests, 0)
}

/** A difference with the smallest life that shows it. */
function openText({ life, exchange, finding: { way, field, real, twin } }: OpenDifference): string {
  const short = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 300)
  const requests = life.requests.slice(0, life.requests.indexOf(exchange.request) + 1)
  const lines = requests.map(request => `    ${requestText(request).slice(0, 600)}`)
  return `  ${life.kind} ${way} ${field}: real ${short(real)}, twin ${short(twin)}\n${lines.join('\n')}`
}

/** A kind a line, and all together. */
export function countsText({ counts }: Run): string {
  const sum = (figure: 'requests' | 'taken' | 'equal' | 'known' | 'differing') =>
    counts.reduce((total, row) => total + row[figure], 0)
  const all = {
    kind: 'all',
    requests: sum('requests'),
    taken: sum('taken'),
    equal: sum('equal'),
    known: sum('known'),
    differing: sum('differing'),
  }
  const titles = ['requests', 'taken', 'equal', 'known', 'differing']
  return table(
    [{ title: 'kind' }, ...titles.map(title => ({ title, align: 'right' as const }))],
    [...counts, all].map(row => [
      row.kind,
      String(row.requests),
      `${Math.round((100 * row.taken) / row.requests)} %`,
      String(row.equal),
      String(row.known),
      String(row.differing),
    ]),
  )
}
