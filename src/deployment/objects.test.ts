import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { node } from '#cluster/testdata/objects.ts'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { agentPlace, rightsOf } from '#coordination/rbac.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { type Asked, installationValues, plainRelease } from './installation.ts'
import type { Values } from './names.ts'
import { objects } from './objects.ts'
import { randomValues } from './testdata/random-values.ts'
import { jsonSchemaOf } from './values/values-schema.ts'
import { yamlDocuments } from './yaml-text.ts'

const capabilities = enabledCapabilities
const names = capabilities.map(({ name }) => name)
const release = plainRelease('ballast', 'ballast-system')

const made = (asked: Asked = {}) => objects(installationValues(asked, capabilities), { capabilities, release })
const keys = (list: readonly KubeObject[]) => list.map(({ kind, metadata }) => `${kind} ${metadata.name}`)

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

const rulesOf = (object: KubeObject) => (object['rules'] ?? []) as readonly Rule[]

/** Single rights, so that roles that say the same in other words are equal; without those that others imply. */
const single = (rules: readonly Rule[], place = 'cluster') => {
  const all = rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [] }) =>
    apiGroups.flatMap(group =>
      resources.flatMap(resource =>
        verbs.map(verb => ({ what: `${place}: ${verb} ${group}/${resource}`, of: resourceNames.join() })),
      ),
    ),
  )
  const wide = new Set(all.filter(({ of }) => of === '').map(({ what }) => what))
  return all
    .filter(({ what, of }) => of === '' || !wide.has(what))
    .map(({ what, of }) => `${what} ${of}`)
    .sort()
}

test('an installation with every default, in the order in which it is applied', () => {
  expect(keys(made({ preset: { namespace: { create: true } } }))).toEqual([
    'Namespace ballast-system',
    'ResourceQuota ballast-critical-pods',
    'CustomResourceDefinition disruptionpermits.ballast.dev',
    'CustomResourceDefinition rebalanceplans.ballast.dev',
    'CustomResourceDefinition rebalancepolicies.ballast.dev',
    'ServiceAccount ballast-controller',
    'ClusterRole ballast-controller',
    'ClusterRole ballast-controller-workloads',
    'ClusterRole ballast-view',
    'ClusterRoleBinding ballast-controller',
    'ClusterRoleBinding ballast-controller-workloads',
    'Role ballast-controller-own',
    'Role ballast-controller-own-secrets',
    'RoleBinding ballast-controller-own',
    'RoleBinding ballast-controller-own-secrets',
    'ConfigMap ballast-config',
    'Service ballast-controller',
    'Service ballast-webhook',
    'PodDisruptionBudget ballast-controller',
    'Deployment ballast-controller',
  ])
})

test('with nothing enabled there is no kind, no webhook and no right on what users run', () => {
  const list = made({ disable: names })
  expect(list.filter(({ kind }) => kind === 'CustomResourceDefinition')).toEqual([])
  expect(keys(list)).not.toContain('Service ballast-webhook')
  expect(list.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata }) => metadata.name)).toEqual(['ballast-view'])
})

describe('roles', () => {
  const everything = made({ enable: names })
  const roles = everything.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')

  test('name no wildcard, and bind no create to a name', () => {
    for (const rule of roles.flatMap(rulesOf)) {
      expect(JSON.stringify(rule)).not.toContain('"*"')
      if (rule.resourceNames !== undefined) expect(rule.verbs).not.toContain('create')
    }
  })

  test('Secrets stand in roles of their own', () => {
    const withSecrets = roles.filter(role => rulesOf(role).some(({ resources }) => resources.includes('secrets')))
    for (const { metadata } of withSecrets) expect(metadata.name).toMatch(/-secrets$/)
    const clusterWide = withSecrets.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata }) => metadata.name)
    expect(clusterWide).toEqual([
      ...(names.includes('autoscale') ? ['ballast-apiserver-secrets'] : []),
      ...(names.includes('reload') ? ['ballast-controller-secrets'] : []),
      ...(names.includes('nfs') ? ['ballast-nfs-controller-secrets'] : []),
    ])
  })

  test('verbs, resources and rules are sorted', () => {
    for (const role of roles) {
      const order = rulesOf(role).map(({ apiGroups, resources, resourceNames }) =>
        JSON.stringify([apiGroups[0], resources[0], resourceNames ?? []]),
      )
      expect(order).toEqual(order.toSorted())
      for (const { resources, verbs } of rulesOf(role)) {
        expect(resources).toEqual(resources.toSorted())
        expect(verbs).toEqual(verbs.toSorted())
      }
    }
  })

  test('say something: an API server refuses a rule without resources or verbs', () => {
    for (const role of made({ enable: names }).filter(({ kind }) => /^(?:Cluster)?Role$/.test(kind)))
      for (const { apiGroups, resources, verbs } of rulesOf(role))
        expect([role.metadata.name, apiGroups.length > 0, resources.length > 0, verbs.length > 0]).toEqual([
          role.metadata.name,
          true,
          true,
          true,
        ])
  })

  test('nobody gets a permit to grant by the roles view, edit and admin', () => {
    const view = roles.find(({ metadata }) => metadata.name === 'ballast-view')
    for (const { verbs } of view === undefined ? [] : rulesOf(view)) expect(verbs).toEqual(['get', 'list', 'watch'])
  })

  test('of some namespaces only are Roles there', () => {
    const list = made({ enable: names, set: ['rbac.namespaced={shop,web}'] })
    const placed = list
      .filter(({ kind, metadata }) => kind === 'Role' && metadata.name.endsWith('-workloads'))
      .map(({ metadata }) => metadata.namespace)
    // One of each process that has such rights.
    expect([...new Set(placed)]).toEqual(['shop', 'web'])
    const left = list.filter(({ kind }) => kind === 'ClusterRole').flatMap(rulesOf)
    // What a capability serves of all namespaces is read by whoever was granted `view` in one, there.
    const onNamespaced = left.filter(
      ({ apiGroups, resources }) =>
        !apiGroups.includes('metrics.k8s.io') && resources.some(one => /^(pods|secrets|configmaps|deployments)$/.test(one)),
    )
    expect(onNamespaced).toEqual([])
  })

  test('are exactly what the enabled capabilities ask for, whatever their configuration', () => {
    const choice = fc.record({ seed: fc.integer(), enabled: fc.subarray([...names]) })
    fc.assert(
      fc.property(choice, ({ seed, enabled }) => {
        const values = installationValues(
          {
            preset: randomValues(capabilities, seed),
            enable: enabled,
            set: ['rbac.create=true', 'rbac.namespaced={}', 'namespaceOverride=', 'agent.namespace=ballast-agent'],
            disable: names.filter(name => !enabled.includes(name)),
          },
          capabilities,
        )
        const list = objects(values, { capabilities, release }).filter(isOf('controller'))
        const wanted = rightsOf(
          capabilities.filter(({ name }) => enabled.includes(name)),
          {
            trust: 'core',
            elects: true,
            configurations: configurationsIn(values),
          },
        )
        const inCluster = list.filter(one => one.kind === 'ClusterRole' && !one.metadata.name.endsWith('-view'))
        expect(single(inCluster.flatMap(rulesOf))).toEqual(single(wanted.cluster))
        const placed = Map.groupBy(
          list.filter(({ kind }) => kind === 'Role'),
          ({ metadata: { namespace = '' } }) =>
            namespace === release.namespace ? '' : namespace === standardAgentNamespace ? agentPlace : namespace,
        )
        expect([...placed.keys()].sort()).toEqual([...wanted.namespaces.keys()].sort())
        for (const [place, rules] of wanted.namespaces)
          expect(single((placed.get(place) ?? []).flatMap(rulesOf), place)).toEqual(single(rules, place))
      }),
      { numRuns: 60 },
    )
  })
})

const isOf =
  (component: string) =>
  ({ metadata }: KubeObject) =>
    metadata.labels?.['app.kubernetes.io/component'] === component

describe('the apiserver', () => {
  const on = ['apiserver.enabled=true']
  const exposed = [
    'dashboard.listen=:8080',
    'dashboard.allowedHosts={ballast.example}',
    'dashboard.tls={"certFile":"/a","keyFile":"/b"}',
  ]
  const token = [...on, ...exposed, 'dashboard.auth.mode=token']
  const proxy = [
    ...on,
    'dashboard.listen=:8080',
    'dashboard.allowedHosts={ballast.example}',
    'dashboard.auth={"mode":"proxy","proxy":{"caFile":"/ca"}}',
  ]
  const verbsOf = (set: readonly string[]) => {
    const rules = made({ set })
      .filter(isOf('apiserver'))
      .flatMap(object => rulesOf(object).map(rule => ({ ...rule, place: object.metadata.namespace ?? '' })))
    return rules.flatMap(({ place, apiGroups, resources, verbs, resourceNames = [] }) =>
      verbs
        .filter(verb => !['get', 'list', 'watch'].includes(verb))
        .flatMap(verb =>
          resources.map(one => [verb, place, apiGroups[0], one, ...resourceNames].filter(part => part !== '').join(' ')),
        ),
    )
  }
  const ofElection = [
    'create ballast-system coordination.k8s.io leases',
    'create ballast-system events.k8s.io events',
    'patch ballast-system events.k8s.io events',
    'update ballast-system coordination.k8s.io leases',
  ]
  const ofEndpoint = [
    'create ballast-system discovery.k8s.io endpointslices',
    'delete ballast-system discovery.k8s.io endpointslices ballast-dashboard',
    'update ballast-system discovery.k8s.io endpointslices ballast-dashboard',
  ]

  test('is absent unless somebody enables it, and where the page is off', () => {
    expect(keys(made().filter(isOf('apiserver')))).toEqual([])
    expect(keys(made({ set: [...on, 'dashboard.enabled=false'] }).filter(isOf('apiserver')))).toEqual([])
  })

  test('listens to its own pod alone, and only reads, unless told', () => {
    expect(keys(made({ set: on }).filter(isOf('apiserver')))).toEqual([
      'ServiceAccount ballast-apiserver',
      'ClusterRole ballast-apiserver',
      'ClusterRole ballast-apiserver-workloads',
      'ClusterRoleBinding ballast-apiserver',
      'ClusterRoleBinding ballast-apiserver-workloads',
      'Role ballast-apiserver-own',
      'Role ballast-apiserver-own',
      'RoleBinding ballast-apiserver-own',
      'RoleBinding ballast-apiserver-own',
      'Service ballast-apiserver',
      'PodDisruptionBudget ballast-apiserver',
      'Deployment ballast-apiserver',
    ])
    expect(verbsOf(on).toSorted()).toEqual(ofElection)
  })

  test('reads no Secret, whatever it is told', () => {
    for (const set of [on, token, [...proxy, 'dashboard.actions=true']])
      expect(
        made({ set })
          .filter(isOf('apiserver'))
          .flatMap(rulesOf)
          .flatMap(({ resources }) => resources),
      ).not.toContain('secrets')
  })

  test('with viewers who bring a token has a Service, asks who they are, and writes nothing for them', () => {
    expect(keys(made({ set: token }).filter(({ kind }) => kind === 'Service'))).toContain('Service ballast-dashboard')
    expect(verbsOf([...token, 'dashboard.actions=true']).toSorted()).toEqual(
      [
        ...ofElection,
        ...ofEndpoint,
        'create authentication.k8s.io tokenreviews',
        'create authorization.k8s.io subjectaccessreviews',
      ].toSorted(),
    )
  })

  test('behind a proxy writes for viewers, where actions are on', () => {
    expect(verbsOf(proxy).toSorted()).toEqual(
      [...ofElection, ...ofEndpoint, 'create authorization.k8s.io subjectaccessreviews'].toSorted(),
    )
    const acting = new Set(verbsOf([...proxy, 'dashboard.actions=true']))
    for (const right of [
      'patch ballast.dev rebalanceplans',
      'patch namespaces',
      'patch apps deployments',
      'create events.k8s.io events',
    ])
      expect(acting).toContain(right)
  })

  test('starts anew when the page is told something else, and the controller does not', () => {
    const annotations = (set: readonly string[], component: string) => {
      const [deployment] = made({ set })
        .filter(({ kind }) => kind === 'Deployment')
        .filter(isOf(component))
      return JSON.stringify(deployment?.['spec'])
    }
    const changed = [...on, 'dashboard.timeZone=Europe/Berlin']
    expect(annotations(changed, 'apiserver')).not.toBe(annotations(on, 'apiserver'))
    expect(annotations(changed, 'controller')).toBe(annotations(on, 'controller'))
  })

  test('is refused where the page would stand open', () => {
    expect(() => made({ set: [...on, 'dashboard.listen=:8080'] })).toThrow(
      'dashboard.listen: found ":8080 with auth.mode loopback"',
    )
  })
})

function configurationsIn(values: Values): Readonly<Record<string, unknown>> {
  const sections = values['capabilities'] as Readonly<Record<string, Readonly<Record<string, unknown>>>>
  return Object.fromEntries(
    capabilities.map(({ name, config }) => {
      const { enabled: _enabled, guardLease: _guard, ...own } = sections[name] ?? {}
      return [name, config.parse(own)]
    }),
  )
}

test('the same input gives the same bytes, which read back as the same objects', () => {
  const list = made({ enable: names })
  const printed = yamlDocuments(list)
  expect(yamlDocuments(made({ enable: names }))).toBe(printed)
  expect(parseAllDocuments(printed).map(document => document.toJS())).toEqual(list.map(one => JSON.parse(JSON.stringify(one))))
  expect(printed.endsWith('\n') && !printed.endsWith('\n\n')).toBe(true)
})

// biome-ignore format: a table
test.each([
  ['controler.replicas=3',            'values: found "controler", expected a known key; did you mean "controller"?'],
  ['controller.replicas=many',        'values: controller.replicas: found '],
  ['capabilities.deschedul.enabled=1','values: capabilities: found "deschedul", expected a known key; did you mean "deschedule"?'],
  ['arbiter.mergeWindow=soon',        'values: arbiter.mergeWindow: found '],
  ['controller',                      '--set: found "controller", expected KEY=VALUE'],
])('--set %s is refused with its path', (set, words) => {
  expect(() => made({ set: [set] })).toThrow(words)
})

test('a template in a value is refused but for the release, where it is filled in', () => {
  const annotated = (text: string) => made({ preset: { controller: { podAnnotations: { a: text } } } })
  expect(JSON.stringify(annotated('in {{ .Release.Namespace }}'))).toContain('in ballast-system')
  expect(() => annotated('{{ .Values.image.tag }}')).toThrow('controller.podAnnotations.a')
})

describe('values.schema.json', () => {
  const validate = new Ajv({ strict: false }).compile(jsonSchemaOf(capabilities))

  test('takes the defaults and valid values, as our own check does', () => {
    expect(validate(installationValues({}, capabilities)), JSON.stringify(validate.errors)).toBe(true)
    for (let seed = 0; seed < 50; seed++)
      expect(validate(randomValues(capabilities, seed)), JSON.stringify(validate.errors)).toBe(true)
  })

  // biome-ignore format: a table
  test.each([
    [{ controler: {} }],
    [{ controller: { replica: 3 } }],
    [{ controller: { replicas: '3' } }],
    [{ capabilities: { deschedule: { enabled: 'yes' } } }],
    [{ capabilities: { deschedule: { guardLease: { enable: true } } } }],
    [{ arbiter: { caps: { perHours: 3 } } }],
    [{ image: { pullPolicy: 'Sometimes' } }],
  ])('refuses %j', values => expect(validate(values)).toBe(false))
})

/** The topology's label of each node. The second node has more to give: without a wish every replica would lie there. */
test.each<[string, readonly (readonly [string, string] | undefined)[]]>([
  ['nodes without zones', [undefined, undefined]],
  ['a zone at one node only', [undefined, ['topology.kubernetes.io/zone', 'a']]],
  [
    'two zones',
    [
      ['topology.kubernetes.io/zone', 'b'],
      ['topology.kubernetes.io/zone', 'a'],
    ],
  ],
])('replicas of a process keep apart on %s', (_, zones) => {
  const deployments = made({ enable: names }).filter((one): one is Deployment => one.kind === 'Deployment')
  expect(deployments.length).toBeGreaterThan(1)
  for (const { metadata, spec } of deployments) {
    const replica = (name: string, nodeName?: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'ballast-system', uid: name, labels: spec.template.metadata.labels },
      spec: { ...spec.template.spec, ...(nodeName === undefined ? {} : { nodeName }) },
      status: { phase: nodeName === undefined ? 'Pending' : 'Running' },
    })
    const nodes = zones.map((zone, at) =>
      node(`n${at}`, { cpu: at === 0 ? '2' : '8', labels: { 'kubernetes.io/os': 'linux', ...(zone && { [zone[0]]: zone[1] }) } }),
    )
    const { state } = buildClusterState([...nodes, replica('one', 'n1'), replica('two')])
    const two = state.pods.get('ballast-system/two')
    const evaluation = two === undefined ? undefined : new Placement(state, defaultSettings('1.36')).evaluate(two)
    expect([metadata.name, evaluation?.landing]).toEqual([metadata.name, ['n0']])
  }
})

type Deployment = KubeObject & {
  readonly spec: {
    readonly template: { readonly metadata: { readonly labels: Readonly<Record<string, string>> }; readonly spec: object }
  }
}
