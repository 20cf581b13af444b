// `spec.goals` of a RebalancePolicy: the fields of each kind of goal, and which of them a kind does not use.
import * as z from 'zod'
import { canBeUsed, resourceName, usageExpected } from '#planning/goals/resources.ts'

const name = () => z.string().min(1).max(253)
/** Hundredths of a percent are as fine as anybody sets a goal; sums over them stay exact. */
const hasTwoDecimals = (value: number): boolean => Math.abs(value * 100 - Math.round(value * 100)) < 1e-6
const twoDecimals = 'a number with at most two decimals'
/** The same in CEL, which has no rounding: the whole number below, of half a hundredth more. */
const celRounded = 'double(int(self * 100.0 + 0.5))'
const percentage = () =>
  z
    .number()
    .min(0)
    .max(100)
    .refine(hasTwoDecimals, { message: twoDecimals })
    .meta({
      cel: {
        rule: `self * 100.0 - ${celRounded} < 0.000001 && ${celRounded} - self * 100.0 < 0.000001`,
        message: twoDecimals,
      },
    })

const points = () => z.object({ max: percentage().describe('percentage points of allocatable') })

const resourceExpected = 'cpu, memory, pods or the name of another resource of nodes'

const oneKind = 'one of max and min, spread, deviation, survives, watts or cost: a goal of its own for each'

const atMost = (what: string) => z.object({ atMost: z.number().min(0).max(1_000_000_000).describe(what) })

/** Kinds that speak of nodes whole, so that no resource is named. */
const wholeKinds = ['survives', 'watts', 'cost'] as const
type WholeKind = (typeof wholeKinds)[number]

/** What the kinds of whole nodes do not use. A margin of 1 is what the API server fills in. */
const unused = [
  ['resource', 'is about whole nodes'],
  ['per', 'has no groups that are judged apart'],
  ['stat', 'goes by requests'],
  ['margin', 'has no margin'],
] as const

const celWhole = wholeKinds.map(kind => `has(self.${kind})`).join(' || ')
const celCount = `(has(self.max) || has(self.min) ? 1 : 0) + ${['spread', 'deviation', ...wholeKinds].map(kind => `(has(self.${kind}) ? 1 : 0)`).join(' + ')}`
const celNotGiven: Readonly<Record<(typeof unused)[number][0], string>> = {
  resource: '!has(self.resource)',
  per: '!has(self.per)',
  stat: "!has(self.stat) || self.stat == 'requests'",
  margin: '!has(self.margin) || self.margin == 1',
}

/** A goal; `selector` is the schema of label selectors. */
export const goalFieldsOf = <Selector extends z.ZodType>(selector: Selector) =>
  z
    .object({
      name: name().describe('shown wherever the goal is spoken of'),
      nodes: z.array(name()).max(256).default([]).describe('names of nodes'),
      nodeSelector: selector.exactOptional().describe('its nodes are added to `nodes`'),
      pool: z
        .object({
          label: z
            .string()
            .min(1)
            .max(317)
            .describe('topology.kubernetes.io/zone, karpenter.sh/nodepool or any other label of nodes'),
          values: z.array(z.string().max(63)).max(64).exactOptional().describe('only nodes with one of these values'),
        })
        .exactOptional()
        .describe(
          'in place of nodes: all nodes with the label, each value a group; new nodes are part at once, cordoned ones and those that are not ready do not count',
        ),
      per: z
        .enum(['each', 'together'])
        .exactOptional()
        .describe(
          'each (default): max and min for each node, spread and deviation between the nodes of a group; together: max and min for the sum of a group, spread and deviation between groups',
        ),
      resource: z
        .string()
        .min(1)
        .max(317)
        .regex(resourceName, { message: resourceExpected })
        .exactOptional()
        .describe(
          'cpu, memory, pods or any other that nodes have to give, such as nvidia.com/gpu; required but for survives, watts and cost, which are about whole nodes',
        ),
      stat: z.enum(['requests', 'usage']).default('requests').describe('usage: of max and min for each node alone'),
      max: percentage().exactOptional().describe('percent of allocatable; the node must end strictly below'),
      min: percentage().exactOptional().describe('percent of allocatable; the node must end strictly above'),
      spread: points().exactOptional().describe('the fullest is at most so many points above the emptiest'),
      deviation: points()
        .exactOptional()
        .describe('mean absolute deviation: the distances from the mean are at most so many points on average'),
      survives: z
        .string()
        .min(1)
        .max(317)
        .exactOptional()
        .describe(
          'node, zone or a label of nodes: whichever one of them is lost, its pods find a place on what is left, within the headroom',
        ),
      watts: atMost('watts of its nodes together, by spec.energy.nodes; 0: as few as can be')
        .exactOptional()
        .describe('predicted from requests; a node without pods that would have to go elsewhere draws its standby'),
      cost: atMost('price an hour of its nodes together, by spec.prices; 0: as little as can be')
        .exactOptional()
        .describe('a node without pods that would have to go elsewhere can be given back and costs nothing'),
      margin: z
        .int()
        .min(0)
        .max(50)
        .default(1)
        .describe('percentage points by which the goal is to be exceeded, less than the goal; not of survives, watts and cost'),
      hard: z.boolean().default(false).describe('a plan that misses it is no plan'),
      weight: z
        .number()
        .min(0.01)
        .max(1_000)
        .exactOptional()
        .describe('what a point that is missing counts beside those of other goals that are not hard; default 1'),
    })
    .refine(goal => kindsOf(goal) <= 1, { message: oneKind })
    .refine(goal => goal.resource !== undefined || wholeOf(goal) !== undefined, {
      path: ['resource'],
      message: resourceExpected,
    })
    .refine(goal => goal.stat !== 'usage' || goal.resource === undefined || canBeUsed(goal.resource), {
      path: ['stat'],
      message: usageExpected,
    })
    .refine(goal => goal.pool === undefined || (goal.nodes.length === 0 && goal.nodeSelector === undefined), {
      path: ['pool'],
      message: 'either pool, or nodes and nodeSelector',
    })
    .superRefine((goal, context) => {
      const kind = wholeOf(goal)
      if (kind === undefined) return
      for (const [field, message] of unused)
        if (isGiven(goal, field)) context.addIssue({ code: 'custom', path: [field], message: `nothing: ${kind} ${message}` })
    })
    .meta({
      cel: [
        { rule: `${celCount} <= 1`, message: oneKind },
        { rule: `has(self.resource) || ${celWhole}`, message: `resource: ${resourceExpected}` },
        {
          rule: "!has(self.stat) || self.stat != 'usage' || !has(self.resource) || self.resource in ['cpu', 'memory', 'pods']",
          message: `stat: ${usageExpected}`,
        },
        {
          rule: '!has(self.pool) || ((!has(self.nodes) || size(self.nodes) == 0) && !has(self.nodeSelector))',
          message: 'either pool, or nodes and nodeSelector',
        },
        ...unused.map(([field, message]) => ({
          rule: `!(${celWhole}) || ${celNotGiven[field]}`,
          message: `${field}: nothing: ${wholeKinds.join(', ')} ${message}`,
        })),
      ],
    })

type GoalKinds = Readonly<Partial<Record<'max' | 'min' | 'spread' | 'deviation' | WholeKind, unknown>>>

function kindsOf(goal: GoalKinds): number {
  const isShare = goal.max !== undefined || goal.min !== undefined
  const others = [goal.spread, goal.deviation, ...wholeKinds.map(kind => goal[kind])].filter(kind => kind !== undefined)
  return others.length + (isShare ? 1 : 0)
}

function wholeOf(goal: GoalKinds): WholeKind | undefined {
  return wholeKinds.find(kind => goal[kind] !== undefined)
}

function isGiven(
  goal: Readonly<Partial<Record<(typeof unused)[number][0], unknown>>>,
  field: (typeof unused)[number][0],
): boolean {
  if (field === 'stat') return goal.stat !== 'requests'
  return field === 'margin' ? goal.margin !== 1 : goal[field] !== undefined
}

/** `spec.prices` of a RebalancePolicy; `selector` is the schema of label selectors. */
export const pricesOf = <Selector extends z.ZodType>(selector: Selector) =>
  z
    .array(
      z.object({
        selector: selector.exactOptional().describe('nodes that cost this; none: all that no entry before it picks'),
        perHour: z.number().min(0).max(1_000_000).describe('in any currency, the same for all entries'),
      }),
    )
    .max(64)
    .default([])
    .describe('what nodes cost, for goals of cost; the first entry that picks a node holds')
