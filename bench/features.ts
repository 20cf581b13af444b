// Rules of node features on what a real node publishes: ours beside node-feature-discovery's own engine, on the same rules and features.
// `npm run bench -- features`; the peer needs Go and its modules, and is left out by name without them.

import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { runRule } from '../src/capabilities/features/matching/rule.ts'
import { RuleFailure } from '../src/capabilities/features/matching/rule-failure.ts'
import { readFeatures, readRule } from '../src/capabilities/features/rules/read-rule.ts'
import { featuresSchema, ruleSchema } from '../src/capabilities/features/rules/rule-schema.ts'
import { systemClock } from '../src/kube/clock.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import { builtProgram } from '../test/real/clients/build.ts'
import { vendorRules } from '../test/real/features/vendor-rules.ts'
import { runCommand } from '../test/real/run-command.ts'
import { publishedFeatures } from './features-node.ts'

const rounds = 500
const warmUp = 100
/** In turns, so that what else runs troubles both. */
const turns = 3

const features = publishedFeatures()
// The first ones twice, so that there are twenty.
const own = vendorRules.flatMap(({ spec }) => spec.rules)
const rules = Array.from({ length: 20 }, (_, at) => own[at % own.length] ?? {})
const say = (text: string) => void process.stdout.write(`${text}\n`)
const share = (all: readonly number[], part: number) =>
  all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * part))] ?? 0
const words = (all: readonly number[]) => `p50 ${share(all, 0.5).toFixed(2)} ms, p99 ${share(all, 0.99).toFixed(2)} ms`

function ours(): readonly number[] {
  const set = readFeatures(featuresSchema.parse(features))
  const read = rules.map(rule => readRule(ruleSchema.parse(rule)))
  return Array.from({ length: rounds }, () => {
    const startMs = systemClock.elapsed()
    for (const rule of read) {
      try {
        runRule(rule, set)
      } catch (error) {
        if (!(error instanceof RuleFailure)) throw error
      }
    }
    return systemClock.elapsed() - startMs
  })
}

async function theirs(program: string): Promise<readonly number[]> {
  const input = rules.map(rule => `${JSON.stringify({ rule, features })}\n`).join('')
  const run = await runCommand(program, [`-rounds=${rounds}`], { input, timeoutMs: 120_000 })
  if (run.code !== 0) throw new Error(run.stderr)
  return run.stdout
    .trim()
    .split('\n')
    .map(nanos => Number(nanos) / 1e6)
}

let program: string | undefined
try {
  program = await builtProgram(join(import.meta.dirname, '..', 'test', 'real', 'features', 'oracle'), 'oracle')
} catch (error) {
  if (!(error instanceof PartUnavailable)) throw error
  say(`without the peer: ${error.message}`)
}
const [processor] = cpus()
say(`${cpus().length} × ${processor?.model}, load ${loadavg()[0]?.toFixed(2)}, Node ${process.version}`)
say(`${rules.length} rules on ${(JSON.stringify(features).length / 1e3).toFixed(0)} KB of features, ${rounds} rounds`)
for (let turn = 0; turn < turns; turn += 1) {
  const mine = ours().slice(warmUp)
  const peer = program === undefined ? undefined : (await theirs(program)).slice(warmUp)
  const ratio =
    peer === undefined
      ? ''
      : `; ratio of p50 ${(share(mine, 0.5) / share(peer, 0.5)).toFixed(2)}, of p99 ${(share(mine, 0.99) / share(peer, 0.99)).toFixed(2)}`
  say(`ours ${words(mine)}${peer === undefined ? '' : `; node-feature-discovery ${words(peer)}`}${ratio}`)
}
const parsed = Array.from({ length: 100 }, () => {
  const text = JSON.stringify(features)
  const startMs = systemClock.elapsed()
  readFeatures(featuresSchema.parse(JSON.parse(text)))
  return systemClock.elapsed() - startMs
})
say(`reading and checking the object: ${words(parsed)}`)
