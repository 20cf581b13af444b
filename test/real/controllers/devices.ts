// Devices: claims that are made from templates, allocated, reserved, shared, and given back. Each scenario has nodes, a class and a driver
// of its own, since slices are the whole cluster's.
import { firstImage } from './manifests.ts'
import type { Loose, Scenario, ScenarioRun } from './scenario.ts'

const kinds = ['Pod', 'ResourceClaim', 'ResourceClaimTemplate'] as const
type Device = Loose & { readonly name: string }

/** Devices without anything that tells them apart. */
const plain = (...names: readonly string[]): readonly Device[] => names.map(name => ({ name }))

const driverOf = (run: ScenarioRun) => `${run.namespace}.example.com`

async function node(run: ScenarioRun, name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
  await run.create('Node', {
    metadata: { name: `${run.namespace}-${name}`, labels: { pool: run.namespace, place: name, ...labels } },
    status: { allocatable: { cpu: '64', memory: '64Gi', pods: '100' }, conditions: [{ type: 'Ready', status: 'True' }] },
  })
}

/** The class of the scenario picks what its driver has. */
async function deviceClass(run: ScenarioRun, more: { readonly name?: string; readonly spec?: Loose } = {}): Promise<void> {
  const selectors = [{ cel: { expression: `device.driver == "${driverOf(run)}"` } }]
  await run.create('DeviceClass', {
    metadata: { name: `${run.namespace}${more.name === undefined ? '' : `-${more.name}`}` },
    spec: { selectors, ...more.spec },
  })
}

/** A slice, by default of a pool of its own that is whole. */
async function slice(run: ScenarioRun, name: string, devices: readonly Device[], spec: Loose = {}): Promise<void> {
  await run.create('ResourceSlice', {
    metadata: { name: `${run.namespace}-${name}` },
    spec: {
      driver: driverOf(run),
      pool: { name: `${run.namespace}-${name}`, generation: 1, resourceSliceCount: 1 },
      devices,
      ...spec,
    },
  })
}

const on = (run: ScenarioRun, name: string): Loose => ({ nodeName: `${run.namespace}-${name}` })

function request(run: ScenarioRun, more: Loose = {}, name = 'gpu'): Loose {
  return { name, exactly: { deviceClassName: run.namespace, ...more } }
}

async function claim(run: ScenarioRun, name: string, devices: Loose): Promise<void> {
  await run.create('ResourceClaim', { metadata: { name }, spec: { devices } })
}

async function template(run: ScenarioRun, name: string, devices: Loose, metadata: Loose = {}): Promise<void> {
  await run.create('ResourceClaimTemplate', { metadata: { name }, spec: { metadata, spec: { devices } } })
}

/** A pod with claims: `own` from templates, `named` by their names. */
async function pod(
  run: ScenarioRun,
  name: string,
  claims: { readonly own?: readonly string[]; readonly named?: readonly string[] },
  spec: Loose = {},
): Promise<void> {
  const { own = [], named = [] } = claims
  const resourceClaims = [
    ...own.map(one => ({ name: one, resourceClaimTemplateName: one })),
    ...named.map(one => ({ name: one, resourceClaimName: one })),
  ]
  await run.create('Pod', {
    metadata: { name },
    spec: {
      automountServiceAccountToken: false,
      nodeSelector: { pool: run.namespace },
      containers: [{ name: 'main', image: firstImage, resources: { claims: resourceClaims.map(one => ({ name: one.name })) } }],
      terminationGracePeriodSeconds: 0,
      resourceClaims,
      ...spec,
    },
  })
}

/** One node with these devices, and a claim of a pod for what `devices` ask. */
async function single(run: ScenarioRun, devices: readonly Device[], asked: Loose): Promise<void> {
  await node(run, 'n1')
  await deviceClass(run)
  await slice(run, 'n1', devices, on(run, 'n1'))
  await claim(run, 'wanted', asked)
  await run.step('pod', () => pod(run, 'user', { named: ['wanted'] }))
}

const cards: readonly Device[] = [
  {
    name: 'small',
    attributes: { model: { string: 'a' }, cores: { int: 4 }, fast: { bool: false }, driverVersion: { version: '1.2.3' } },
    capacity: { memory: { value: '4Gi' } },
  },
  {
    name: 'large',
    attributes: { model: { string: 'b' }, cores: { int: 16 }, fast: { bool: true }, driverVersion: { version: '2.0.0' } },
    capacity: { memory: { value: '16Gi' } },
  },
]

/** A scenario of one claim on one node. */
function asking(name: string, devices: readonly Device[], asked: (run: ScenarioRun) => Loose): Scenario {
  return { name, kinds, play: run => single(run, devices, asked(run)) }
}

function selecting(name: string, expression: (run: ScenarioRun) => string): Scenario {
  return asking(name, cards, run => ({ requests: [request(run, { selectors: [{ cel: { expression: expression(run) } }] })] }))
}

const twoPerRequest = (run: ScenarioRun, more: Loose) => ({ requests: [request(run, { count: 2 })], ...more })

/** Claims that the API server refuses, by what is wrong with them. */
const refused: Readonly<Record<string, (run: ScenarioRun) => Loose>> = {
  'no request type': () => ({ requests: [{ name: 'gpu' }] }),
  'an expression that is none': run => ({ requests: [request(run, { selectors: [{ cel: { expression: 'device.' } }] })] }),
  'no class': () => ({ requests: [{ name: 'gpu', exactly: { deviceClassName: '' } }] }),
  'a mode that is none': run => ({ requests: [request(run, { allocationMode: 'Some' })] }),
  'a count below one': run => ({ requests: [request(run, { count: -1 })] }),
  'a count of all': run => ({ requests: [request(run, { allocationMode: 'All', count: 2 })] }),
  'a name twice': run => ({ requests: [request(run), request(run)] }),
  'a name that is none': run => ({ requests: [request(run, {}, 'Not_A_Name')] }),
  'too many requests': run => ({ requests: Array.from({ length: 33 }, (_, at) => request(run, {}, `r${at}`)) }),
  'a constraint that is none': run => ({ requests: [request(run)], constraints: [{}] }),
  'a constraint of nobody': run => ({
    requests: [request(run)],
    constraints: [{ requests: ['other'], matchAttribute: 'a.example.com/b' }],
  }),
  'access of administrators': run => ({ requests: [request(run, { adminAccess: true })] }),
}

export const deviceScenarios: readonly Scenario[] = [
  {
    name: 'device-refused',
    kinds,
    async play(run) {
      await claim(run, 'good', { requests: [request(run)] })
      for (const [step, devices] of Object.entries(refused))
        await run.step(
          step,
          () =>
            run.send('POST', run.path('ResourceClaim'), {
              apiVersion: 'resource.k8s.io/v1',
              kind: 'ResourceClaim',
              metadata: { name: 'bad' },
              spec: { devices: devices(run) },
            }),
          true,
        )
      const other = { spec: { devices: { requests: [request(run, { count: 2 })] } } }
      await run.step('another spec', () => run.send('PATCH', run.path('ResourceClaim', 'good'), other), true)
    },
  },
  {
    name: 'device-from-template',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(run, 'n1', plain('d0', 'd1'), on(run, 'n1'))
      await run.step('template', () =>
        template(run, 'gpu', { requests: [request(run)] }, { labels: { team: 'a' }, annotations: { note: 'b' } }),
      )
      await run.step('pod', () => pod(run, 'user', { own: ['gpu'] }))
      await run.step('running', () => run.ready())
      await run.step('pod deleted', () => run.remove('Pod', 'user', { gracePeriodSeconds: 0 }))
    },
  },
  {
    name: 'device-pod-ends',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(run, 'n1', plain('d0'), on(run, 'n1'))
      await template(run, 'gpu', { requests: [request(run)] })
      await claim(run, 'kept', {})
      await run.step('pod', () => pod(run, 'user', { own: ['gpu'], named: ['kept'] }, { restartPolicy: 'Never' }))
      await run.step('pod is done', () => run.finish('Succeeded'))
      await run.step('pod deleted', () => run.remove('Pod', 'user', { gracePeriodSeconds: 0 }))
    },
  },
  {
    name: 'device-one-for-two',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(run, 'n1', plain('d0'), on(run, 'n1'))
      await template(run, 'gpu', { requests: [request(run)] })
      await run.step('first pod', () => pod(run, 'first', { own: ['gpu'] }))
      await run.step('second pod waits', () => pod(run, 'second', { own: ['gpu'] }))
      await run.step('first pod deleted', async () => {
        await run.remove('Pod', 'first', { gracePeriodSeconds: 0 })
        await run.wait(3_000)
      })
    },
  },
  {
    name: 'device-shared-claim',
    kinds,
    async play(run) {
      for (const name of ['n1', 'n2']) await node(run, name)
      await deviceClass(run)
      await slice(run, 'n2', plain('d0'), on(run, 'n2'))
      await claim(run, 'wanted', { requests: [request(run)] })
      await run.step('first pod', () => pod(run, 'first', { named: ['wanted'] }))
      await run.step('second pod', () => pod(run, 'second', { named: ['wanted'] }))
      await run.step('third pod may not be there', () =>
        pod(run, 'third', { named: ['wanted'] }, { nodeSelector: { pool: run.namespace, place: 'n1' } }),
      )
      await run.step('first pod deleted', () => run.remove('Pod', 'first', { gracePeriodSeconds: 0 }))
      await run.step('second pod deleted', () => run.remove('Pod', 'second', { gracePeriodSeconds: 0 }))
      await run.step('claim deleted while a pod waits for it', () => run.remove('ResourceClaim', 'wanted'))
    },
  },
  {
    name: 'device-claim-deleted-in-use',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(run, 'n1', plain('d0'), on(run, 'n1'))
      await claim(run, 'wanted', { requests: [request(run)] })
      await run.step('pod', () => pod(run, 'user', { named: ['wanted'] }))
      await run.step('claim deleted', () => run.remove('ResourceClaim', 'wanted'))
      await run.step('another pod', () => pod(run, 'other', { named: ['wanted'] }))
      await run.step('pod deleted', () => run.remove('Pod', 'user', { gracePeriodSeconds: 0 }))
    },
  },
  {
    name: 'device-nothing-there',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await run.step('claim that is not there', () => pod(run, 'no-claim', { named: ['absent'] }))
      await run.step('template that is not there', () => pod(run, 'no-template', { own: ['absent'] }))
      await claim(run, 'classless', { requests: [request(run)] })
      await run.step('class that is not there', () => pod(run, 'no-class', { named: ['classless'] }))
      await run.step('class', async () => {
        await deviceClass(run)
        await run.wait(3_000)
      })
      await run.step('devices', async () => {
        await slice(run, 'n1', plain('d0'), on(run, 'n1'))
        await run.wait(5_000)
      })
      await run.step('template', async () => {
        await template(run, 'absent', {})
        await run.wait(3_000)
      })
    },
  },
  {
    name: 'device-node-by-hand',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(run, 'n1', plain('d0', 'd1'), on(run, 'n1'))
      await template(run, 'gpu', { requests: [request(run)] })
      await run.step('pod with a node', () => pod(run, 'user', { own: ['gpu'] }, { nodeName: `${run.namespace}-n1` }))
    },
  },
  {
    name: 'device-selected-node',
    kinds,
    async play(run) {
      for (const name of ['n1', 'n2', 'n3']) await node(run, name, name === 'n2' ? { zone: 'b' } : {})
      await deviceClass(run)
      await slice(run, 'zone', plain('d0'), {
        nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] }] },
      })
      await claim(run, 'wanted', { requests: [request(run)] })
      await run.step('pod', () => pod(run, 'user', { named: ['wanted'] }))
    },
  },
  {
    name: 'device-all-nodes',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(run, 'net', plain('d0', 'd1'), { allNodes: true })
      await claim(run, 'wanted', { requests: [request(run)] })
      await run.step('pod', () => pod(run, 'user', { named: ['wanted'] }))
    },
  },
  {
    name: 'device-of-each-device',
    kinds,
    async play(run) {
      for (const name of ['n1', 'n2']) await node(run, name)
      await deviceClass(run)
      await slice(
        run,
        'mixed',
        [
          { name: 'd0', nodeName: `${run.namespace}-n1` },
          { name: 'd1', allNodes: true },
        ],
        { perDeviceNodeSelection: true },
      )
      await claim(run, 'wanted', { requests: [request(run, { count: 2 })] })
      await run.step('pod', () => pod(run, 'user', { named: ['wanted'] }))
    },
  },
  asking('device-two', plain('d0', 'd1', 'd2'), run => ({ requests: [request(run, { count: 2 })] })),
  asking('device-too-many', plain('d0'), run => ({ requests: [request(run, { count: 2 })] })),
  asking('device-all', plain('d0', 'd1', 'd2'), run => ({ requests: [request(run, { allocationMode: 'All' })] })),
  asking('device-all-of-none', [], run => ({ requests: [request(run, { allocationMode: 'All' })] })),
  asking('device-two-requests', plain('d0'), run => ({ requests: [request(run), request(run, {}, 'second')] })),
  selecting('device-by-text', run => `device.attributes["${driverOf(run)}"].model == "b"`),
  selecting('device-by-number', run => `device.attributes["${driverOf(run)}"].cores > 8`),
  selecting('device-by-flag', run => `device.attributes["${driverOf(run)}"].fast`),
  selecting('device-by-version', run => `device.attributes["${driverOf(run)}"].driverVersion.isGreaterThan(semver("1.9.0"))`),
  selecting('device-by-capacity', run => `device.capacity["${driverOf(run)}"].memory.compareTo(quantity("8Gi")) >= 0`),
  selecting('device-by-none', run => `device.attributes["${driverOf(run)}"].model == "c"`),
  selecting('device-by-absent', run => `device.attributes["${driverOf(run)}"].absent == "c"`),
  selecting('device-by-foreign', () => 'device.attributes["other.example.com"].absent == "c"'),
  selecting(
    'device-by-guarded',
    run => `"absent" in device.attributes["${driverOf(run)}"] || device.attributes["${driverOf(run)}"].cores == 4`,
  ),
  asking(
    'device-match-attribute',
    [
      { name: 'd0', attributes: { board: { string: 'x' } } },
      { name: 'd1', attributes: { board: { string: 'y' } } },
      { name: 'd2', attributes: { board: { string: 'y' } } },
    ],
    run => twoPerRequest(run, { constraints: [{ matchAttribute: `${driverOf(run)}/board` }] }),
  ),
  asking(
    'device-match-impossible',
    [
      { name: 'd0', attributes: { board: { string: 'x' } } },
      { name: 'd1', attributes: { board: { string: 'y' } } },
    ],
    run => twoPerRequest(run, { constraints: [{ matchAttribute: `${driverOf(run)}/board` }] }),
  ),
  {
    name: 'device-two-claims',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run, {
        spec: {
          selectors: [{ cel: { expression: `device.driver == "${driverOf(run)}"` } }],
          config: [{ opaque: { driver: driverOf(run), parameters: { of: 'class' } } }],
        },
      })
      await slice(run, 'n1', plain('d0', 'd1', 'd2'), on(run, 'n1'))
      await template(run, 'one', {
        requests: [request(run), request(run, {}, 'more')],
        config: [
          { requests: ['more'], opaque: { driver: driverOf(run), parameters: { of: 'more' } } },
          { opaque: { driver: driverOf(run), parameters: { of: 'all' } } },
        ],
      })
      await template(run, 'two', { requests: [request(run)] })
      await run.step('pod', () => pod(run, 'user', { own: ['one', 'two'] }))
    },
  },
  {
    name: 'device-first-available',
    kinds,
    async play(run) {
      for (const name of ['n1', 'n2']) await node(run, name)
      await deviceClass(run)
      await slice(run, 'n1', [{ name: 'd0', attributes: { model: { string: 'old' } } }], on(run, 'n1'))
      await slice(run, 'n2', [{ name: 'd0', attributes: { model: { string: 'new' } } }], on(run, 'n2'))
      const model = (name: string, text: string) => ({
        name,
        deviceClassName: run.namespace,
        selectors: [{ cel: { expression: `device.attributes["${driverOf(run)}"].model == "${text}"` } }],
      })
      await template(run, 'gpu', { requests: [{ name: 'gpu', firstAvailable: [model('best', 'new'), model('next', 'old')] }] })
      await run.step('pod', () => pod(run, 'first', { own: ['gpu'] }, { nodeSelector: { pool: run.namespace, place: 'n1' } }))
      await run.step('another pod', () => pod(run, 'second', { own: ['gpu'] }))
    },
  },
  {
    name: 'device-incomplete-pool',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(run, 'n1', plain('d0'), {
        ...on(run, 'n1'),
        pool: { name: `${run.namespace}-n1`, generation: 1, resourceSliceCount: 2 },
      })
      await claim(run, 'wanted', { requests: [request(run)] })
      await run.step('pod', () => pod(run, 'user', { named: ['wanted'] }))
    },
  },
  {
    name: 'device-idle-claim-elsewhere',
    kinds,
    async play(run) {
      for (const name of ['n1', 'n2']) await node(run, name)
      await deviceClass(run)
      for (const name of ['n1', 'n2']) await slice(run, name, plain('d0'), on(run, name))
      await claim(run, 'wanted', { requests: [request(run)] })
      await run.step('allocated for nobody', () =>
        run.patch(
          'ResourceClaim',
          'wanted',
          {
            status: {
              allocation: {
                devices: {
                  results: [{ request: 'gpu', driver: driverOf(run), pool: `${run.namespace}-n1`, device: 'd0' }],
                },
                nodeSelector: {
                  nodeSelectorTerms: [
                    { matchFields: [{ key: 'metadata.name', operator: 'In', values: [`${run.namespace}-n1`] }] },
                  ],
                },
              },
            },
          },
          'status',
        ),
      )
      await run.step('pod for another node', async () => {
        await pod(run, 'user', { named: ['wanted'] }, { nodeSelector: { pool: run.namespace, place: 'n2' } })
        await run.wait(3_000)
      })
    },
  },
  {
    name: 'device-taints',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(
        run,
        'n1',
        [{ name: 'd0', taints: [{ key: 'example.com/broken', value: 'yes', effect: 'NoSchedule' }] }],
        on(run, 'n1'),
      )
      await template(run, 'plain', { requests: [request(run)] })
      await template(run, 'patient', {
        requests: [request(run, { tolerations: [{ key: 'example.com/broken', operator: 'Exists', effect: 'NoSchedule' }] })],
      })
      await run.step('pod', () => pod(run, 'user', { own: ['plain'] }))
      await run.step('pod that tolerates it', () => pod(run, 'other', { own: ['patient'] }))
    },
  },
  {
    name: 'device-shares',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      await slice(
        run,
        'n1',
        [
          {
            name: 'd0',
            allowMultipleAllocations: true,
            capacity: {
              memory: {
                value: '8Gi',
                requestPolicy: { default: '1Gi', validRange: { min: '1Gi', step: '1Gi' } },
              },
            },
          },
        ],
        on(run, 'n1'),
      )
      await template(run, 'part', { requests: [request(run, { capacity: { requests: { memory: '2500Mi' } } })] })
      await template(run, 'rest', { requests: [request(run)] })
      await run.step('pod', () => pod(run, 'first', { own: ['part'] }))
      await run.step('second pod', () => pod(run, 'second', { own: ['part'] }))
      await run.step('third pod waits', () => pod(run, 'third', { own: ['part'] }))
      await run.step('pod that asks nothing', () => pod(run, 'fourth', { own: ['rest'] }))
    },
  },
  {
    name: 'device-counters',
    kinds,
    async play(run) {
      await node(run, 'n1')
      await deviceClass(run)
      const pool = { name: `${run.namespace}-n1`, generation: 1, resourceSliceCount: 2 }
      const part = (name: string, memory: string) => ({
        name,
        consumesCounters: [{ counterSet: 'card', counters: { memory: { value: memory } } }],
      })
      await run.create('ResourceSlice', {
        metadata: { name: `${run.namespace}-counters` },
        spec: {
          driver: driverOf(run),
          pool,
          ...on(run, 'n1'),
          sharedCounters: [{ name: 'card', counters: { memory: { value: '8Gi' } } }],
        },
      })
      await slice(run, 'n1', [part('whole', '8Gi'), part('half-0', '4Gi'), part('half-1', '4Gi')], { ...on(run, 'n1'), pool })
      await template(run, 'half', {
        requests: [request(run, { selectors: [{ cel: { expression: 'true' } }] })],
      })
      await run.step('pod', () => pod(run, 'first', { own: ['half'] }))
      await run.step('second pod', () => pod(run, 'second', { own: ['half'] }))
    },
  },
]
