// The names of the contract that are needed as values. The page's bundle has this file in it: it imports nothing.

/** The schema that the stream's `hello` names; another one means that page and server are of different versions. */
export const contractSchema = 1

/** `hour`: the last hour in steps of 30 s; `days`: the last 48 hours in steps of 10 minutes. */
export const utilisationSpanNames = ['hour', 'days'] as const

export const planActions = ['approve', 'withdraw', 'step', 'pause', 'resume', 'replan'] as const
export const freezeActions = ['freeze', 'thaw'] as const
export const twinActions = [
  'twin/speed',
  'twin/pause',
  'twin/run',
  'twin/advance',
  'twin/next',
  'twin/fault',
  'twin/heal',
  'twin/reset',
] as const

/** What `fault.kind` can be: stop a node, slow image pulls, the API server answers 500, metrics are silent. */
export const twinFaultKinds = ['stop-node', 'slow-pulls', 'server-errors', 'metrics-silent'] as const
export type TwinFaultKind = (typeof twinFaultKinds)[number]

export type TopicKind = 'overview' | 'permits' | 'twin' | 'images' | 'plan' | 'node' | 'workload' | 'page'
export const topicKinds: readonly TopicKind[] = ['overview', 'permits', 'twin', 'images', 'plan', 'node', 'workload', 'page']

/** Which arrays of a topic's value are tables, and the field that names a row: their rows are sent one by one. */
export const topicTables: { readonly [Kind in TopicKind]: Readonly<Record<string, string>> } = {
  overview: { nodes: 'name', goals: 'name', wideGoals: 'name', doing: 'permit', sources: 'name' },
  permits: { permits: 'id' },
  twin: { faults: 'name' },
  images: { registries: 'name', mirrors: 'node', images: 'name' },
  plan: { moves: 'id', before: 'node', after: 'node' },
  node: {},
  workload: { pods: 'name' },
  page: { tables: 'name' },
}

/** Which fields of a topic's value are tables in columns, and the column that names a row: of them changed rows are sent, too. */
export const topicColumns: { readonly [Kind in TopicKind]: Readonly<Record<string, string>> } = {
  overview: { columns: 'name' },
  permits: {},
  twin: {},
  images: {},
  plan: {},
  node: {},
  workload: {},
  page: {},
}
