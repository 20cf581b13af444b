// Upstream's load test, S1 to S13: the same objects, counts and rates, how long is the form's business; and S14 of ours.
import { pick, type Scenario, type SourceSpec, type SourceType, type Stage, type Target } from './scenario.ts'
import { complexWorkload, workload } from './workloads.ts'

/** What upstream's load test allows to be missing of what it expects. */
const leastExact = 0.85

const sources = (type: SourceType, namespace: string, prefix: string, data: readonly Readonly<Record<string, string>>[]) =>
  data.map((of, at): SourceSpec => ({ type, namespace, name: `${prefix}-${at}`, data: of }))

const times = <T>(count: number, make: (at: number) => T): readonly T[] => Array.from({ length: count }, (_, at) => make(at))

/** As many ConfigMaps as Deployments, each of which uses one. */
function pairs(namespace: string, prefix: string, count: number, annotations: Readonly<Record<string, string>> = {}) {
  const maps = sources(
    'configmap',
    namespace,
    `${prefix}-cm`,
    times(count, () => ({ key: 'value' })),
  )
  const targets = maps.map((map, at) => workload({ namespace, name: `${prefix}-deploy-${at}`, uses: [map], annotations }))
  return { sources: maps, targets }
}

/** One of them gets another value every `intervalMs`. */
const updates =
  (of: readonly SourceSpec[], intervalMs: number, key = 'key') =>
  (stage: Stage) =>
    stage.every(intervalMs, turn => stage.change(pick(of, stage.random), { [key]: `update-${turn}` }))

function burst(): Scenario {
  const made = pairs('s1', 'burst', 10)
  const title = '10 ConfigMaps, 10 Deployments, an update every 100 ms'
  return { id: 'S1', title, flags: [], ...made, leastExact, play: updates(made.sources, 100) }
}

function fanOut(): Scenario {
  const shared: SourceSpec = { type: 'configmap', namespace: 's2', name: 'shared-cm', data: { config: 'initial' } }
  return {
    id: 'S2',
    title: 'one ConfigMap of 50 Deployments, an update every 5 s',
    flags: [],
    sources: [shared],
    targets: times(50, at => workload({ namespace: 's2', name: `fanout-deploy-${at}`, uses: [shared] })),
    leastExact,
    play: stage => updates([shared], 5_000 * stage.form.pace, 'config')(stage),
  }
}

function highCardinality(): Scenario {
  const namespaces = ['s3', ...times(10, at => `s3-${at}`)]
  const made = namespaces.map(namespace => pairs(namespace, 'hc', 20))
  const all = made.flatMap(one => one.sources)
  return {
    id: 'S3',
    title: '11 namespaces with 20 pairs each, an update every 200 ms',
    flags: [],
    sources: all,
    targets: made.flatMap(one => one.targets),
    leastExact,
    play: updates(all, 200),
  }
}

function noOp(): Scenario {
  const made = pairs('s4', 'noop', 10)
  return {
    id: 'S4',
    title: 'annotations of ConfigMaps only, every 100 ms; then the data of one',
    flags: [],
    ...made,
    leastExact,
    async play(stage) {
      await stage.every(100, turn => stage.annotate(pick(made.sources, stage.random), String(turn)))
      // What never acts has not proved that it can.
      await stage.change(pick(made.sources, stage.random), { key: 'last' })
    },
  }
}

function churn(): Scenario {
  const map: SourceSpec = { type: 'configmap', namespace: 's5', name: 'churn-cm', data: { key: 'value' } }
  const target = (at: number) => workload({ namespace: 's5', name: `churn-deploy-${at}`, uses: [map] })
  return {
    id: 'S5',
    title: 'a Deployment every 500 ms, 10 alive, an update every 2 s',
    flags: [],
    sources: [map],
    targets: times(4, target),
    leastExact,
    async play(stage) {
      const alive: Target[] = times(4, target).slice()
      const deployments = stage.every(500, async turn => {
        const created = target(turn + 4)
        await stage.create(created)
        alive.push(created)
        const oldest = alive.length > 10 ? alive.shift() : undefined
        if (oldest !== undefined) await stage.remove(oldest)
      })
      await Promise.all([deployments, updates([map], 2_000 * stage.form.pace)(stage)])
    },
  }
}

function restarted(): Scenario {
  const made = pairs('s6', 'restart', 20)
  return {
    id: 'S6',
    title: '20 pairs, an update every 200 ms, the program killed after a third',
    flags: [],
    ...made,
    // What changes several times while nobody runs is one roll-out.
    leastExact: 0,
    // The Lease of who was killed is waited for.
    patienceMs: 20_000,
    async play(stage) {
      const killAt = Math.floor((stage.form.seconds * 1_000) / 200 / 3)
      let restarting: Promise<void> | undefined
      await stage.every(200, async turn => {
        if (turn === killAt) restarting = stage.restartProgram()
        await stage.change(pick(made.sources, stage.random), { key: `update-${turn}` })
      })
      await restarting
    },
  }
}

function pressure(): Scenario {
  const made = pairs('s7', 'api', 50)
  return {
    id: 'S7',
    title: '10 writers, each an update every 100 ms, on 50 pairs',
    flags: [],
    ...made,
    // Ten in a hundred milliseconds on fifty objects: of two of the same object that come together the later counts.
    leastExact: 'as-they-come',
    async play(stage) {
      const writer = (number: number) =>
        stage.every(100, turn => stage.change(pick(made.sources, stage.random), { key: `g${number}-update-${turn}` }))
      await Promise.all(times(10, writer))
    },
  }
}

function largeObjects(): Scenario {
  const large = 'abcdefghijklmnopqrstuvwxyz'.repeat(3_939).slice(0, 102_400)
  const maps = sources(
    'configmap',
    's8',
    'large-cm',
    times(10, () => ({ 'large-key-1': large, 'large-key-2': large })),
  )
  return {
    id: 'S8',
    title: '10 ConfigMaps of 200 KB, an update every 2 s',
    flags: [],
    sources: maps,
    targets: maps.map((map, at) => workload({ namespace: 's8', name: `large-deploy-${at}`, uses: [map] })),
    leastExact,
    play: stage =>
      stage.every(2_000 * stage.form.pace, turn =>
        stage.change(pick(maps, stage.random), { 'large-key-1': `${large.slice(0, -10)}-${turn}` }),
      ),
  }
}

function kinds(): Scenario {
  const map: SourceSpec = { type: 'configmap', namespace: 's9', name: 'multi-type-cm', data: { config: 'initial' } }
  const of = (kind: 'Deployment' | 'StatefulSet' | 'DaemonSet', prefix: string, count: number) =>
    times(count, at => workload({ kind, namespace: 's9', name: `${prefix}-${at}`, uses: [map] }))
  return {
    id: 'S9',
    title: '5 Deployments, 3 StatefulSets, 2 DaemonSets of one ConfigMap, an update every 5 s',
    flags: [],
    sources: [map],
    targets: [...of('Deployment', 'multi-deploy', 5), ...of('StatefulSet', 'multi-sts', 3), ...of('DaemonSet', 'multi-ds', 2)],
    leastExact,
    play: stage => updates([map], 5_000 * stage.form.pace, 'config')(stage),
  }
}

function secretsAndMixed(): Scenario {
  const namespace = 's10'
  const secrets = sources(
    'secret',
    namespace,
    'mixed-secret',
    times(5, at => ({ password: `initial-${at}` })),
  )
  const maps = sources(
    'configmap',
    namespace,
    'mixed-cm',
    times(5, at => ({ config: `initial-${at}` })),
  )
  const both = (at: number) => [maps[at], secrets[at]].flatMap(one => one ?? [])
  return {
    id: 'S10',
    title: '5 Deployments of Secrets, 3 of ConfigMaps, 2 of both, an update every 500 ms',
    flags: [],
    sources: [...secrets, ...maps],
    targets: [
      ...secrets.map((one, at) => workload({ namespace, name: `secret-only-deploy-${at}`, uses: [one] })),
      ...maps.slice(0, 3).map((one, at) => workload({ namespace, name: `cm-only-deploy-${at}`, uses: [one] })),
      ...times(2, at => workload({ namespace, name: `mixed-deploy-${at}`, uses: both(at) })),
    ],
    leastExact,
    play: stage =>
      stage.every(500, turn =>
        turn % 2 === 0
          ? stage.change(pick(secrets, stage.random), { password: `updated-secret-${turn}` })
          : stage.change(pick(maps, stage.random), { config: `updated-config-${turn}` }),
      ),
  }
}

function annotations(): Scenario {
  const made = pairs('s11', 'annot', 10)
  const flags = ['--reload-strategy=annotations']
  const title = '10 pairs, an update every 500 ms, strategy annotations'
  return { id: 'S11', title, flags, ...made, leastExact, play: updates(made.sources, 500) }
}

function paused(): Scenario {
  // Whole seconds, as the annotation of the first change has them.
  const pauseMs = 15_000
  const made = pairs('s12', 'pause', 10, { 'deployment.reloader.stakater.com/pause-period': `${pauseMs / 1_000}s` })
  return {
    id: 'S12',
    title: '10 pairs with a pause of 15 s, an update every 2 s',
    flags: [],
    ...made,
    leastExact,
    pauseMs,
    play: stage => updates(made.sources, 2_000 * stage.form.pace)(stage),
  }
}

function complexReferences(): Scenario {
  const maps = sources(
    'configmap',
    's13',
    'complex-cm',
    times(5, at => ({ key1: `value1-${at}`, key2: `value2-${at}`, config: `config-${at}` })),
  )
  return {
    id: 'S13',
    title: '5 Deployments with init containers, valueFrom and projected volumes, an update every 2 s',
    flags: [],
    sources: maps,
    targets: maps.flatMap((first, at) => {
      const second = maps[(at + 1) % maps.length]
      return second === undefined ? [] : [complexWorkload('s13', `complex-deploy-${at}`, [first, second])]
    }),
    leastExact,
    play: stage =>
      stage.every(2_000 * stage.form.pace, turn =>
        stage.change(pick(maps, stage.random), { key1: `updated-value1-${turn}`, config: `updated-config-${turn}` }),
      ),
  }
}

/** Beyond upstream's own: half of the ConfigMaps say that they are none of its business, and what takes them is left alone. */
function ignored(): Scenario {
  const made = pairs('s14', 'ignore', 10)
  const isIgnored = (at: number) => at % 2 === 1
  const annotations = { 'reloader.stakater.com/ignore': 'true' }
  const maps = made.sources.map((map, at) => (isIgnored(at) ? { ...map, annotations } : map))
  return {
    id: 'S14',
    title: '10 pairs of which 5 ConfigMaps are annotated to be ignored, an update every 200 ms',
    flags: [],
    sources: maps,
    targets: made.targets.map((target, at) => (isIgnored(at) ? { ...target, uses: [] } : target)),
    leastExact,
    async play(stage) {
      await updates(maps, 200)(stage)
      for (const map of maps) await stage.change(map, { key: 'last' })
    },
  }
}

/** In upstream's order. */
export const scenarios: readonly Scenario[] = [
  burst(),
  fanOut(),
  highCardinality(),
  noOp(),
  churn(),
  restarted(),
  pressure(),
  largeObjects(),
  kinds(),
  secretsAndMixed(),
  annotations(),
  paused(),
  complexReferences(),
  ignored(),
]
