// What a fault is told: `spec` of a TwinFault, the same JSON whether it comes from kubectl, a file or a test.
import { z } from 'zod'
import { duration } from '#kube/schema/crd-fields.ts'

/** The group of our kinds; what is asked of `twinfaults` there is never hit. */
export const twinGroup = 'ballast.dev'
export const faultResource = 'twinfaults'
export const clockResource = 'twinclocks'

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const

const text = () => z.string().max(253)

const match = z
  .strictObject({
    verbs: z.array(z.enum(verbs)).max(verbs.length).optional(),
    group: text().optional().describe('API group, empty for core; any when left out'),
    resource: text().optional().describe('plural, as in pods; any when left out'),
    subresource: text().optional().describe('as in status; left out: the resource itself, * any'),
    namespace: text().optional(),
    name: text().optional(),
    user: text().optional(),
    userAgent: z.string().max(512).optional().describe('the whole User-Agent, or what stands before its first slash'),
  })
  .describe('which requests are hit; a * at the end of namespace, name, user and userAgent stands for any rest')
  .meta({
    cel: {
      rule: "!(has(self.resource) && self.resource == 'twinfaults')",
      message: 'requests about twinfaults are never hit: a fault must be removable',
    },
  })

const spread = {
  p50: duration().describe('half of the waits are shorter'),
  p99: duration().optional().describe('one in a hundred is longer; left out: all take p50'),
}

const afterEvents = z
  .int()
  .min(0)
  .max(1_000_000)
  .optional()
  .describe('events that come through before; 0 when left out, bookmarks do not count')

const watchFault = z.strictObject({
  drop: z.strictObject({ afterEvents }).optional().describe('the watch ends between two events'),
  cut: z.strictObject({ afterEvents }).optional().describe('the connection breaks in the middle of an event'),
  stall: z
    .strictObject({ afterEvents, for: duration().optional() })
    .optional()
    .describe('nothing comes any more, for a while or for ever'),
  expire: z.strictObject({ afterEvents }).optional().describe('an ERROR event of 410, then the end'),
  delay: z.strictObject(spread).optional().describe('what comes, comes late'),
  repeat: z
    .strictObject({ every: z.int().min(1).max(1_000_000).optional() })
    .optional()
    .describe('each so-many-th event comes twice'),
  bookmarkless: z.strictObject({}).optional().describe('no bookmarks; the one at the end of the initial events comes'),
})

const nodeActions = [
  'crash',
  'partition',
  'notReady',
  'diskPressure',
  'memoryPressure',
  'pidPressure',
  'slowPull',
  'reboot',
] as const
export type NodeAction = (typeof nodeActions)[number]

const imageErrors = ['ErrImagePull', 'InvalidImageName'] as const
export type ImageError = (typeof imageErrors)[number]

const node = z
  .strictObject({
    names: z.array(text().min(1)).max(5000).optional(),
    selector: z.record(z.string().max(317), z.string().max(63)).optional().describe('labels that the nodes have'),
    action: z.enum(nodeActions),
    for: duration().optional().describe('how long; for ever when left out, a reboot takes a minute'),
  })
  .describe('what happens to nodes')

const image = z
  .strictObject({
    pattern: z.string().min(1).max(512).describe('an image, * stands for any text'),
    error: z.enum(imageErrors),
    for: duration().optional(),
  })
  .describe('pulls that fail')

const when = () => z.string().max(64).describe('RFC 3339, or a duration since the fault was set')

/** What a fault can do: each spec has exactly one of them. */
export const effects = ['status', 'latency', 'reset', 'watch', 'compact', 'node', 'image'] as const

/** The schema of `spec`. */
export const faultSpec = z
  .strictObject({
    match: match.optional(),
    probability: z.number().min(0).max(1).optional().describe('of each request that is not skipped; 1 when left out'),
    skipFirst: z.int().min(0).optional().describe('so many matching requests are spared first'),
    count: z.int().min(1).optional().describe('how often it fires at most; without end when left out'),
    from: when().optional(),
    until: when().optional(),
    status: z
      .strictObject({
        code: z.int().min(400).max(599),
        reason: z.string().max(128).optional(),
        message: z.string().max(4096).optional(),
        retryAfterSeconds: z.int().min(0).max(86_400).optional(),
      })
      .optional()
      .describe('the answer is this Status, nothing is done'),
    latency: z.strictObject(spread).optional().describe('the request waits before it is worked on'),
    reset: z
      .strictObject({ when: z.enum(['before', 'after']) })
      .optional()
      .describe('the connection breaks without an answer; after: what was asked for is done'),
    watch: watchFault.optional(),
    compact: z
      .strictObject({ keepRevisions: z.int().min(0) })
      .optional()
      .describe('history is forgotten but for so many revisions; without a match at once'),
    node: node.optional(),
    image: image.optional(),
  })
  .meta({
    cel: [
      {
        rule: `[${effects.map(effect => `has(self.${effect})`).join(', ')}].filter(x, x).size() == 1`,
        message: `exactly one of ${effects.join(', ')} is needed`,
      },
    ],
  })

export type FaultSpec = z.infer<typeof faultSpec>
export type FaultMatch = z.infer<typeof match>
export type WatchFault = z.infer<typeof watchFault>
/** What can happen to a watch: exactly one of them. */
export const watchEffects = Object.keys(watchFault.shape)
