// The Talos homelab as an overview, for tests of what is drawn from one: four nodes, two goals that are not met, a plan that waits.
import type { Goal, NodeRow, Overview, PlanHead } from '../contract.ts'

const mebibyte = 1024 ** 2

interface Figures {
  readonly cpu: readonly [requested: number | null, used: number | null, allocatable: number]
  /** In Mi. */
  readonly memory: readonly [requested: number | null, used: number | null, allocatable: number]
  readonly pods: number
}

export function nodeForTests(name: string, { cpu, memory, pods }: Figures, more: Partial<NodeRow> = {}): NodeRow {
  const bytes = (amount: number | null) => (amount === null ? null : amount * mebibyte)
  return {
    name,
    role: 'worker',
    ready: true,
    readySince: '2025-12-19T12:00:00Z',
    cordoned: false,
    draining: false,
    cpu: { requested: cpu[0], used: cpu[1], allocatable: cpu[2], usedAt: null },
    memory: { requested: bytes(memory[0]), used: bytes(memory[1]), allocatable: memory[2] * mebibyte, usedAt: null },
    pods: { count: pods, allocatable: 110 },
    watts: { now: null, source: null },
    goals: [],
    after: null,
    zone: null,
    taints: [],
    ...more,
  }
}

const goal = (name: string, node: string, bounds: { min?: number; max?: number }, now: number, after: number): Goal => ({
  name,
  nodes: [node],
  resource: 'cpu',
  stat: 'requests',
  min: bounds.min ?? null,
  max: bounds.max ?? null,
  now,
  after,
  met: false,
  shortfallPoints: 23.4,
  hard: true,
  because: { code: 'goal', text: '23.4 points over', facts: {}, links: [] },
})

export const planForTests: PlanHead = {
  name: 'talos-7f3c',
  policy: 'talos',
  phase: 'Proposed',
  createdAt: '2025-12-19T13:03:00Z',
  expiresAt: '2025-12-19T13:18:00Z',
  moves: 15,
  lowerBound: 14.63,
  optimal: true,
  done: 0,
  failed: 0,
  waves: 15,
  goalsMet: true,
  proven: true,
  snapshotHash: 'abc',
  replacedBy: null,
  sentences: [],
}

export const homelabForTests: Overview = {
  revision: 'e1.7',
  mode: 'twin',
  cluster: 'talos-homelab',
  now: '2025-12-19T14:03:20+01:00',
  speed: 1,
  loading: null,
  pages: [],
  verdict: { level: 'attention', sentences: [] },
  totals: {
    nodes: 4,
    cpu: { allocatable: 49_800, requested: 19_035, used: 5_000, usedAt: null },
    memory: { allocatable: 114_600 * mebibyte, requested: 54_771 * mebibyte, used: 20_000 * mebibyte, usedAt: null },
    pods: { allocatable: 440, count: 124 },
  },
  goals: [goal('cp-light', 'talos00', { max: 70 }, 93.396, 45), goal('use-talos03', 'talos03', { min: 30 }, 4.107, 31)],
  wideGoals: [],
  goalsEmpty: null,
  sources: [{ name: 'api', state: 'live', lastAt: '2025-12-19T13:03:20Z', limitMs: 60_000, because: null }],
  nodes: [
    nodeForTests(
      'talos00',
      { cpu: [7_425, 4_600, 7_950], memory: [12_772, 11_320, 15_500], pods: 59 },
      { role: 'control-plane', goals: ['cp-light'], after: { cpu: 3_600, memory: 6_600 * mebibyte, pods: 45 } },
    ),
    nodeForTests(
      'talos03',
      { cpu: [655, 60, 15_950], memory: [2_300, 1_550, 13_800], pods: 9 },
      {
        goals: ['use-talos03'],
        after: { cpu: 4_955, memory: 11_400 * mebibyte, pods: 24 },
      },
    ),
  ],
  columns: null,
  doing: [],
  plan: planForTests,
  buttons: [
    {
      action: 'approve',
      label: 'Run it',
      enabled: true,
      because: null,
      kubectl: 'kubectl patch rebalanceplan talos-7f3c',
      body: { plan: 'talos-7f3c', snapshotHash: 'abc' },
      prominent: true,
      confirm: null,
    },
  ],
  safety: [],
  freeze: null,
  counts: { permits24h: {}, owners: { keda: 0, descheduler: 0, none: 0 } },
  scaleToZero: { can: 0, atZero: 0, sentence: { code: 'none', text: '', facts: {}, links: [] } },
}
