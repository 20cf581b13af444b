// What a replay of a plan is: the boxes and tiles before its first move, and each step with what it changes. Whoever draws it adds nothing to
// the figures: those after each step are in it. Amounts stand in the order of `resources`, in base units.
import * as z from 'zod'
import { move, name, ref, type Shape, sentence, time, whole } from './contract.ts'

/** Boxes that are drawn at once: of more nodes pools are drawn, and of a pool its nodes. */
export const mostReplayBoxes = 60

const amounts = z.array(whole())

/** A bound of requests, in percent of what the box can give. */
const line = z.strictObject({
  goal: name(),
  resource: name(),
  min: z.number().nullable(),
  max: z.number().nullable(),
})

const box = z.strictObject({
  /** Unique. */
  name: name(),
  /** `node`, a `pool` that can be looked into, or `others`: nodes that are drawn together. */
  kind: z.enum(['node', 'pool', 'others']),
  nodes: whole(),
  allocatable: amounts,
  /** Before the first step. */
  requested: amounts,
  pods: whole(),
  lines: z.array(line),
  /** Names of goals whose lines it misses before the first step. */
  missed: z.array(name()),
})
export type ReplayBox = Shape<typeof box>

const tile = z.strictObject({
  id: z.string(),
  /** Name of the box in which it stands before the first step. */
  box: name(),
  /** `moves` by this plan; `may` be moved; `held`: something has to permit it first; `pinned`: nothing lets it go; `rest`: pods that are drawn together. */
  kind: z.enum(['moves', 'may', 'held', 'pinned', 'rest']),
  pods: whole(),
  /** Null: several pods. */
  pod: ref.nullable(),
  workload: ref.nullable(),
  amounts,
  /** Why it is what `kind` says. */
  because: sentence,
  /** What would change that. */
  remedy: sentence.nullable(),
})
export type ReplayTile = Shape<typeof tile>
export type TileKind = ReplayTile['kind']

const boxAfter = z.strictObject({ box: name(), requested: amounts, pods: whole(), missed: z.array(name()) })

const step = z.strictObject({
  /** Id of the move. */
  id: z.string(),
  wave: whole(),
  tile: z.string(),
  from: name(),
  /** Where it is drawn after the step; null: its replacement has no node. */
  to: name().nullable(),
  state: move.shape.state,
  /** What. */
  text: sentence,
  /** Why. */
  why: sentence,
  /** What was refused, and by which rule. */
  refusals: z.array(sentence).max(5),
  proof: sentence,
  /** Boxes that are other than before the step. */
  after: z.array(boxAfter).max(2),
})
export type ReplayStep = Shape<typeof step>

/** `GET /api/v1/plans/{name}/replay`. */
export const replayView = z.strictObject({
  plan: name(),
  cluster: z.string(),
  phase: z.string(),
  madeAt: time(),
  /** Looked into; null: all. */
  pool: name().nullable(),
  /** What can be shown: `cpu`, `memory`, `pods`, and others that goals are about. */
  resources: z.array(name()).min(1),
  boxes: z.array(box),
  tiles: z.array(tile),
  /** In the order in which they are carried out. */
  steps: z.array(step),
  /** All moves of the plan, also those that no box shown has a part in. */
  moves: whole(),
  before: z.array(sentence),
  afterwards: z.array(sentence),
  /** What is not drawn one by one, and why. */
  notes: z.array(sentence),
})
export type ReplayView = Shape<typeof replayView>
