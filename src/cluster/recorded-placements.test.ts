// Holds the model to what real kube-schedulers did: test/fixtures/placements, whose README says what is recorded and how.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects.ts'
import { buildClusterState, podState } from './cluster-state.ts'
import { type Evaluation, Placement } from './placement.ts'
import { defaultSettings } from './scheduler-settings.ts'

interface RecordedStep {
  readonly pod: Pod
  readonly node: string | null
  readonly feasible?: readonly number[]
  readonly scores?: { readonly total: readonly number[]; readonly plugins: Readonly<Record<string, number | readonly number[]>> }
  readonly reason?: string
  readonly message?: string
  readonly after?: readonly KubeObject[]
}

interface Recording {
  readonly kubernetesVersion: string
  readonly seed: number
  readonly objects: readonly KubeObject[]
  readonly nodes: readonly string[]
  readonly steps: readonly RecordedStep[]
}

const folder = join(import.meta.dirname, '../../test/fixtures/placements')

/** How many steps had a landing of which size, over all recordings of a version. */
interface Tally {
  readonly sizes: Map<string, number>
  placed: number
  unplaced: number
  /** With scores that differ between nodes. */
  scored: number
  single: number
}

describe.each(['v1.34.4', 'v1.36.4'])('kube-scheduler %s', version => {
  const files = readdirSync(join(folder, version)).filter(name => name.endsWith('.json'))
  const tally: Tally = { sizes: new Map(), placed: 0, unplaced: 0, scored: 0, single: 0 }

  test.each(files)('does as recorded in %s', file => {
    const recording: Recording = JSON.parse(readFileSync(join(folder, version, file), 'utf8'))
    expect(differences(recording, tally)).toEqual([])
  })

  test('lands in sets small enough to mean something', () => {
    expect(tally.placed + tally.unplaced).toBeGreaterThanOrEqual(1000)
    expect(tally.single / tally.scored).toBeGreaterThanOrEqual(0.85)
    const sizes = Array.from(tally.sizes, ([size, count]) => `${size}: ${count}`).toSorted()
    console.info(`${version}: ${tally.placed} placed, ${tally.unplaced} not; landing set of nodes fitting: ${sizes.join(', ')}`)
  })
})

/** Replays a recording; one line for each thing the model says otherwise. */
function differences(recording: Recording, tally: Tally): readonly string[] {
  const { state, problems } = buildClusterState(recording.objects)
  const found = problems.map(problem => `${problem.where}: ${problem.code}`)
  const settings = defaultSettings(recording.kubernetesVersion.startsWith('v1.34') ? '1.34' : '1.36')
  const placement = new Placement(state, settings)
  for (const [index, step] of recording.steps.entries()) {
    const pod = podState(state, step.pod)
    const at = `step ${index} ${pod.key}`
    if (step.node === null) {
      tally.unplaced++
      const evaluation = placement.evaluate(pod)
      const message =
        step.reason === 'SchedulingGated'
          ? evaluation.message
          : [evaluation.message, evaluation.preemption].filter(part => part !== '').join(' ')
      if (evaluation.landing.length > 0)
        found.push(`${at}: unplaced, but the model lands it on ${evaluation.landing.join(' ')} (${step.message})`)
      else if (step.reason !== 'SchedulingGated' && message !== step.message)
        found.push(`${at}: message\n  ${message}\n  recorded ${step.message}`)
    } else {
      found.push(...placedDifferences(placement, { recording, step, at, tally }))
      placement.bind(pod, step.node)
    }
    placement.settle(step.after ?? [])
  }
  return found

  function placedDifferences(
    placement: Placement,
    context: { recording: Recording; step: RecordedStep; at: string; tally: Tally },
  ): readonly string[] {
    const { step, at } = context
    const pod = podState(state, step.pod)
    const recorded = (step.feasible ?? []).map(node => recording.nodes[node] ?? '')
    const whole = placement.evaluate(pod)
    const lines: string[] = []
    if (step.node !== null && !whole.landing.includes(step.node))
      lines.push(`${at}: on ${step.node}, not in ${whole.landing.join(' ')}`)
    const isPartial = whole.feasible.length > recorded.length && recording.nodes.length >= 100
    if (!isPartial && whole.feasible.toSorted().join() !== recorded.toSorted().join()) {
      lines.push(`${at}: feasible ${whole.feasible.join(' ')} recorded ${recorded.join(' ')}`)
    }
    if (isPartial && recorded.some(node => !whole.feasible.includes(node))) lines.push(`${at}: a recorded node is not feasible`)
    lines.push(...scoreDifferences(placement.evaluate(pod, { among: recorded }), { step, recorded, at }))
    count(tally, whole, { isPartial, step })
    return lines
  }
}

function scoreDifferences(
  evaluation: Evaluation,
  context: { readonly step: RecordedStep; readonly recorded: readonly string[]; readonly at: string },
): readonly string[] {
  const { step, recorded, at } = context
  const scores = step.scores
  if (scores === undefined) return []
  const lines: string[] = []
  for (const [position, node] of recorded.entries()) {
    const verdict = evaluation.verdicts.get(node)
    if (verdict?.kind !== 'feasible') continue
    if (verdict.total !== scores.total[position])
      lines.push(`${at}: ${node} total ${verdict.total} recorded ${scores.total[position]}`)
    const plugins = new Set([...Object.keys(scores.plugins), ...Object.keys(verdict.scores)])
    for (const plugin of plugins) {
      const list = scores.plugins[plugin] ?? 0
      const expected = typeof list === 'number' ? list : list[position]
      const actual = verdict.scores[plugin] ?? 0
      if (actual !== expected) lines.push(`${at}: ${node} ${plugin} ${actual} recorded ${expected}`)
    }
  }
  const top = Math.max(...scores.total)
  const tops = recorded.filter((_, position) => scores.total[position] === top).toSorted()
  if (evaluation.landing.toSorted().join() !== tops.join())
    lines.push(`${at}: landing ${evaluation.landing.join(' ')} recorded top ${tops.join(' ')}`)
  return lines
}

function count(
  tally: Tally,
  whole: Evaluation,
  { isPartial, step }: { readonly isPartial: boolean; readonly step: RecordedStep },
): void {
  tally.placed++
  const size = isPartial ? `${whole.landing.length} of ${whole.feasible.length} in part` : String(whole.landing.length)
  tally.sizes.set(size, (tally.sizes.get(size) ?? 0) + 1)
  const totals = new Set(step.scores?.total)
  if (isPartial || totals.size < 2) return
  tally.scored++
  if (whole.landing.length === 1) tally.single++
}
