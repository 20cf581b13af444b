// Records a share of the lives with the real server's answers, which `npm test` holds the twin to: `node test/real/differential/record.ts`.
// `--known [MINOR]` writes the table of what is to be mended instead, from the requests of the long check.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packed } from '#test/fidelity-exchange.ts'
import { type RecordedLife, recordedText } from '#test/recorded-lives.ts'
import type { MinorVersion } from '../control-plane/build.ts'
import { type KnownFields, knownFile } from './accepted.ts'
import { countsText } from './checks.ts'
import { messagePairs } from './messages.ts'
import { differentialRun, type Run } from './run.ts'

const fixtures = join(import.meta.dirname, '../../fixtures/differential')
const perKindRecorded = 30
const perKind: Readonly<Record<MinorVersion, number>> = { '1.36': 300, '1.34': 75 }

/** One field a line, so that what goes and comes reads as a diff. A field without a reason is under `unknown`, which a test refuses. */
function knownText(seen: Run['seen']): string {
  const sorted = <Value>(entries: Iterable<readonly [string, Value]>) =>
    [...entries].toSorted(([one], [other]) => (one < other ? -1 : 1))
  const known: KnownFields = Object.fromEntries(
    sorted(seen).map(([kind, ways]) => [
      kind,
      Object.fromEntries(sorted(ways).map(([way, fields]) => [way, Object.fromEntries(sorted(byReason(fields)))])),
    ]),
  )
  return `${JSON.stringify(known, null, 1)}\n`
}

function byReason(fields: ReadonlyMap<string, string | undefined>): Map<string, readonly string[]> {
  const groups = Map.groupBy(fields.keys(), field => fields.get(field) ?? 'unknown')
  return new Map([...groups].map(([reason, names]) => [reason, names.toSorted()]))
}

mkdirSync(fixtures, { recursive: true })
const [flag, wanted = '1.36'] = process.argv.slice(2)
const minor = (['1.34', '1.36'] as const).find(one => one === wanted)
if ((flag !== undefined && flag !== '--known') || minor === undefined) throw new Error('usage: record.ts [--known [1.34|1.36]]')
if (flag === '--known') {
  const run = await differentialRun({ minor, seed: 1, perKind: perKind[minor], known: {} })
  writeFileSync(knownFile(minor), knownText(run.seen))
  console.log(countsText(run))
  for (const bug of run.bugs) console.log(`bug: ${bug}`)
} else {
  const { lives, serverVersion } = await differentialRun({ minor, seed: 1, perKind: perKindRecorded, known: {} })
  const recorded = lives.map(
    ({ number, life: { requests: _requests, ...life }, exchanges }): RecordedLife => ({
      ...life,
      number,
      exchanges: exchanges.map(({ request, real }) => ({ request, real })),
    }),
  )
  writeFileSync(join(fixtures, 'lives.json.gz'), packed(recordedText(serverVersion, recorded)))
  writeFileSync(join(fixtures, 'messages.json.gz'), packed(JSON.stringify(await messagePairs(minor, { seed: 1, perKind: 2 }))))
  console.log(`${recorded.reduce((sum, { exchanges }) => sum + exchanges.length, 0)} requests of ${serverVersion}`)
}
