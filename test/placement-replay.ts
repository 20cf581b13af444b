// Replays recorded placements (test/fixtures/placements, or recorded just now) with the scheduler model and says where it differs.
import { buildClusterState, podState } from '#cluster/cluster-state.ts'
import { type Evaluation, Placement } from '#cluster/placement.ts'
import { defaultSettings, type SchedulerSettings, settingsFromConfiguration } from '#cluster/scheduler-settings.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'

/** A recording as its JSON reads; test/fixtures/placements/README.md says what each field means. */
export interface ReplayedRecording {
  readonly kubernetesVersion: string
  readonly configuration?: Readonly<Record<string, unknown>>
  readonly objects: readonly KubeObject[]
  readonly nodes: readonly string[]
  readonly steps: readonly ReplayedStep[]
}

interface ReplayedStep {
  readonly pod: Pod
  readonly node: string | null
  readonly feasible?: readonly number[]
  readonly scores?: { readonly total: readonly number[]; readonly plugins: Readonly<Record<string, number | readonly number[]>> }
  readonly reason?: string
  readonly message?: string
  readonly after?: readonly KubeObject[]
}

export interface Replay {
  /** A line for each thing that the model says otherwise. */
  readonly differences: readonly string[]
  readonly placed: number
  readonly refused: number
  /** Placed pods whose landing is one node, of those whose scores differ between nodes. */
  readonly singleLandings: number
  readonly scored: number
  /** For each placed pod the size of its landing: `1`, or `4 of 103 in part` where the scheduler looked at a part of the nodes. */
  readonly landingSizes: readonly string[]
}

/** Holds the model to a recording: the feasible nodes, each plugin's score, the landing, and what refused pods are told. */
export function replayPlacements(recording: ReplayedRecording): Replay {
  const { state, problems } = buildClusterState(recording.objects)
  const differences = problems.map(problem => `${problem.where}: ${problem.code}`)
  const placement = new Placement(state, settingsOf(recording))
  const counts = { placed: 0, refused: 0, singleLandings: 0, scored: 0 }
  const landingSizes: string[] = []
  for (const step of recording.steps) {
    const pod = podState(state, step.pod)
    const whole = placement.evaluate(pod)
    if (step.node === null) {
      counts.refused++
      differences.push(...refusalDifferences(step, whole).map(line => `${pod.key}: ${line}`))
      placement.settle(step.after ?? [])
      continue
    }
    counts.placed++
    const found = (step.feasible ?? []).map(node => recording.nodes[node] ?? '')
    const among = placement.evaluate(pod, { among: found })
    const said = [...feasibleDifferences(recording, step.node, { whole, found }), ...scoreDifferences(step, { among, found })]
    differences.push(...said.map(line => `${pod.key}: ${line}`))
    landingSizes.push(
      isSearchedInPart(recording, { whole, found })
        ? `${whole.landing.length} of ${whole.feasible.length} in part`
        : `${whole.landing.length}`,
    )
    if (new Set(step.scores?.total).size > 1) {
      counts.scored++
      if (among.landing.length === 1) counts.singleLandings++
    }
    placement.bind(pod, step.node)
    placement.settle(step.after ?? [])
  }
  return { ...counts, differences, landingSizes }
}

function settingsOf({ kubernetesVersion, configuration }: ReplayedRecording): SchedulerSettings {
  const version = kubernetesVersion.startsWith('v1.34') ? '1.34' : '1.36'
  if (configuration === undefined) return defaultSettings(version)
  const settings = settingsFromConfiguration({ kind: 'KubeSchedulerConfiguration', ...configuration }, { version })
  if (!settings.ok)
    throw new Error(`${settings.problem.where}: found ${settings.problem.found}, expected ${settings.problem.expected}`)
  return settings.value
}

function refusalDifferences({ reason, message }: ReplayedStep, { landing, message: said, preemption }: Evaluation): string[] {
  if (landing.length > 0) return [`refused, the model lands it on ${landing.join(' ')}`]
  // A gated pod never comes to the scheduler: what its condition says is the API server's.
  if (reason === 'SchedulingGated') return []
  const modelled = [said, preemption].filter(part => part !== '').join(' ')
  return modelled === message ? [] : [`refused: ${modelled}, recorded ${message}`]
}

function feasibleDifferences(
  recording: ReplayedRecording,
  node: string,
  { whole, found }: { readonly whole: Evaluation; readonly found: readonly string[] },
): string[] {
  const landing = whole.landing.includes(node) ? [] : [`on ${node}, not among ${whole.landing.join(' ')}`]
  const agrees = isSearchedInPart(recording, { whole, found })
    ? found.every(name => whole.feasible.includes(name))
    : found.toSorted().join(' ') === whole.feasible.toSorted().join(' ')
  return agrees ? landing : [...landing, `feasible ${whole.feasible.join(' ')}, recorded ${found.join(' ')}`]
}

/** From 100 nodes on the scheduler stops when it has found enough: then it found some of the feasible ones. */
function isSearchedInPart(
  recording: ReplayedRecording,
  { whole, found }: { readonly whole: Evaluation; readonly found: readonly string[] },
): boolean {
  return recording.nodes.length >= 100 && found.length < whole.feasible.length
}

function scoreDifferences(
  { scores }: ReplayedStep,
  { among, found }: { readonly among: Evaluation; readonly found: readonly string[] },
): string[] {
  if (scores === undefined) return []
  const lines: string[] = []
  for (const [position, name] of found.entries()) {
    const verdict = among.verdicts.get(name)
    if (verdict?.kind !== 'feasible') continue
    if (verdict.total !== scores.total[position]) lines.push(`${name} total ${verdict.total}, recorded ${scores.total[position]}`)
    for (const plugin of new Set([...Object.keys(scores.plugins), ...Object.keys(verdict.scores)])) {
      const column = scores.plugins[plugin] ?? 0
      const recorded = typeof column === 'number' ? column : column[position]
      const modelled = verdict.scores[plugin] ?? 0
      if (modelled !== recorded) lines.push(`${name} ${plugin} ${modelled}, recorded ${recorded}`)
    }
  }
  const top = Math.max(...scores.total)
  const best = found.filter((_, position) => scores.total[position] === top).toSorted()
  if (best.join(' ') !== among.landing.toSorted().join(' ')) {
    lines.push(`landing ${among.landing.join(' ')}, recorded best ${best.join(' ')}`)
  }
  return lines
}
