// Agents that vanished: what they wrote last stays on the node, and would be believed for ever. A condition of an agent counts as Unknown when
// its heartbeat has not changed for too long, measured by our own clock: the clock of a node may be wrong. Pure.
import type { ConditionStatus, NodeFacts } from './node-facts.ts'

/** Heartbeats that may be missed. */
const missedBeats = 2
/** What a question and its write may take beyond that, in milliseconds. */
const slackMs = 20_000

/** What is known of the agents' heartbeats. */
export interface Heartbeats {
  /** Conditions that agents write. */
  readonly types: readonly string[]
  /** So long an unchanged heartbeat is believed, in milliseconds. */
  readonly silentMs: number
  /** The heartbeats that were seen last, by `heardKey`. */
  readonly heard: ReadonlyMap<string, Heard>
  /** Now, in milliseconds of the clock that nobody sets. */
  readonly elapsedMs: number
}

interface Heard {
  /** As the agent wrote it. */
  readonly beat: string
  /** When it was first seen, in milliseconds of the clock that nobody sets. A new leader counts anew. */
  readonly atMs: number
}

/** How long a heartbeat is believed, of agents that ask and write at these intervals (all in milliseconds). */
export function silentAfterMs({
  heartbeatMs,
  intervalMs,
}: {
  readonly heartbeatMs: number
  readonly intervalMs: number
}): number {
  return missedBeats * heartbeatMs + intervalMs + slackMs
}

const heardKey = ({ uid }: Pick<NodeFacts, 'uid'>, type: string) => `${uid}/${type}`

/** What was heard with `nodes` as they are now; nodes that are gone are forgotten. */
export function hear(
  before: Heartbeats['heard'],
  nodes: readonly NodeFacts[],
  { types, elapsedMs }: { readonly types: readonly string[]; readonly elapsedMs: number },
): Heartbeats['heard'] {
  const heard = new Map<string, Heard>()
  for (const node of nodes)
    for (const type of types) {
      const beat = node.beats.get(type)
      if (beat === undefined) continue
      const key = heardKey(node, type)
      const known = before.get(key)
      heard.set(key, known?.beat === beat ? known : { beat, atMs: elapsedMs })
    }
  return heard
}

/** The conditions on `node` whose writer has been silent for too long. One without a heartbeat is somebody else's, and is believed. */
export function silentConditions(node: NodeFacts, { types, silentMs, heard, elapsedMs }: Heartbeats): readonly string[] {
  return types.filter(type => {
    const beat = node.beats.get(type)
    const known = heard.get(heardKey(node, type))
    return beat !== undefined && known?.beat === beat && elapsedMs - known.atMs >= silentMs
  })
}

/** The node as it is to be judged: what a silent agent wrote last is not known any more. */
export function withoutSilent(node: NodeFacts, silent: readonly string[]): NodeFacts {
  if (silent.length === 0) return node
  const unknown = silent.map((type): [string, ConditionStatus] => [type, 'Unknown'])
  return { ...node, conditions: new Map([...node.conditions, ...unknown]) }
}
