// What functions of Reloader v1.4.21 (commit 655a2b38) answered to random workloads and sources: whether to reload, the hash, the variables
// or the annotation that its strategies leave (testdata/upstream/record.go). Ours must say the same, to the letter.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { changedTemplate } from '#coordination/effects/template-patch.ts'
import { targetContainer } from './rollouts/target-container.ts'
import { changeOf, markOf } from './rollouts/template-change.ts'
import { environmentName } from './rollouts/variable-name.ts'
import { hashContent } from './sources/content-hash.ts'
import { sourceAnnotations, sourceTypes } from './sources/source-state.ts'
import { settingsFor } from './testdata/workloads.ts'
import { decideReload } from './workloads/decision.ts'
import { workloadFacts } from './workloads/workload-facts.ts'

const texts = z.record(z.string(), z.string())
const container = z.looseObject({
  name: z.string(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().exactOptional() })),
})
const template = z.looseObject({ spec: z.looseObject({ containers: z.array(container) }) })

const recording = z.object({
  asked: z.object({
    kind: z.string(),
    type: z.enum(sourceTypes),
    name: z.string(),
    object: texts,
    all: z.boolean(),
    ignored: z.array(z.string()),
    strategy: z.enum(['env-vars', 'annotations']),
    event: z.enum(['update', 'delete']),
    /** Values in base64. */
    data: texts,
    binary: texts,
    workload: z.object({
      apiVersion: z.string(),
      kind: z.string(),
      metadata: z.object({ name: z.string(), namespace: z.string(), annotations: texts }),
      spec: z.object({ template }),
    }),
  }),
  answer: z.object({
    reload: z.boolean(),
    sha1: z.string(),
    variable: z.string(),
    auto: z.boolean().optional(),
    updated: z.boolean().optional(),
    /** Names and values, by container in order. */
    env: z.array(z.array(z.tuple([z.string(), z.string()]))).optional(),
    annotation: z.string().optional(),
  }),
})
type Recording = z.infer<typeof recording>

const recordings: readonly Recording[] = readFileSync(join(import.meta.dirname, 'testdata', 'upstream', 'answers.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map(line => recording.parse(JSON.parse(line)))

function entriesOf(values: Readonly<Record<string, string>>, encoded: boolean) {
  return Object.entries(values).map(([key, value]) => ({ key, value: Buffer.from(value, 'base64'), encoded }))
}

/** Ours, in the words of the recording. */
function answerTo(asked: Recording['asked']): Recording['answer'] {
  const { type, name, strategy, event } = asked
  const settings = settingsFor({
    autoReloadAll: asked.all,
    ignoredWorkloadTypes: asked.ignored,
    compat: { lenient: true },
    reloadStrategy: strategy,
  })
  const reference = { type, namespace: 'default', name }
  const facts = { ...workloadFacts(asked.workload, settings), kind: asked.kind }
  const { sha1 } = hashContent([...entriesOf(asked.data, false), ...entriesOf(asked.binary, true)])
  const { reload, auto } = decideReload(
    { reference, annotations: sourceAnnotations(asked.object, settings.keys) },
    facts,
    settings,
  )
  const said = { reload, sha1, variable: `STAKATER_${environmentName(name)}` }
  if (!reload) return said
  const target = targetContainer(facts.pod, reference, { mustUse: auto })
  if (target === undefined) return { ...said, auto, updated: false }
  const change = { source: reference, event, container: target, sha1, collides: false, changedAtMs: 0 }
  const mark = markOf(facts, change, { strategy, nowMs: 0 })
  if (mark.kind === 'already-written') return { ...said, auto, updated: false }
  if (mark.kind === 'annotate') return { ...said, auto, updated: true, annotation: mark.text }
  const { changes, removals } = changeOf([mark])
  const changed = changedTemplate(asked.workload.spec.template, { ...changes, removeEnv: removals }, undefined)
  const containers = template.parse(changed.ok ? changed.template : undefined).spec.containers
  const env = containers.map(one => one.env.map(({ name: variable, value = '' }): [string, string] => [variable, value]))
  return { ...said, auto, updated: true, env }
}

test('what was recorded has each of the outcomes', () => {
  const seen = recordings.map(({ asked, answer }) =>
    answer.updated === true ? `${asked.strategy} ${asked.event}` : answer.updated,
  )
  expect(new Set(seen)).toEqual(
    new Set([undefined, false, 'env-vars update', 'env-vars delete', 'annotations update', 'annotations delete']),
  )
})

test.each(recordings.map((one, index) => [index, one] as const))(
  'recording %d: ours is the same answer',
  (_, { asked, answer }) => {
    expect(answerTo(asked)).toEqual(answer)
  },
)
