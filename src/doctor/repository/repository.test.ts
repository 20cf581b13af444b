import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readRepository } from '../repository.ts'
import { examineRepository } from '../repository-checks.ts'
import { foldersMeant, foldersOf } from './applied.ts'
import { ignoreFile, isIgnored } from './left-alone.ts'

type Files = Readonly<Record<string, string>>

/** What is found in a tree of these files, notes on upstreams and skipped files left out unless asked for. */
function found(files: Files, ...ids: readonly string[]): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'ballast-tree-'))
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    return examineRepository(readRepository(root))
      .filter(({ id }) => (ids.length === 0 ? id !== 'upstream-present' && id !== 'file-skipped' : ids.includes(id)))
      .map(({ id, file, line, message }) => `${id} ${file}${line === undefined ? '' : `:${line}`} ${message}`)
  } finally {
    rmSync(root, { recursive: true })
  }
}

const object = (apiVersion: string, kind: string, name: string, spec: unknown, namespace?: string) =>
  JSON.stringify({ apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, spec })

const release = (name: string, spec: unknown, namespace?: string) =>
  object('helm.toolkit.fluxcd.io/v2', 'HelmRelease', name, spec, namespace)
const oci = (name: string, url: string, ref: unknown, namespace?: string) =>
  object('source.toolkit.fluxcd.io/v1', 'OCIRepository', name, { url, ref }, namespace)
const flux = (name: string, spec: unknown) => object('kustomize.toolkit.fluxcd.io/v1', 'Kustomization', name, spec, 'flux-system')
const kustomization = (...resources: readonly string[]) => JSON.stringify({ resources })
const byRef = (name: string, kind = 'OCIRepository') => ({ chartRef: { kind, name } })

/** As Flux and envsubst know a variable. */
const filledIn = (name: string) => `\${${name}}`

const resourceSet = (spec: unknown) => object('fluxcd.controlplane.io/v1', 'ResourceSet', 's', spec, 'flux-system')
const byChart = (name: string) => ({ spec: { chart: 'c', sourceRef: { kind: 'HelmRepository', name } } })
const repository = (name: string, namespace?: string) =>
  object('source.toolkit.fluxcd.io/v1', 'HelmRepository', name, { url: 'https://example.com' }, namespace)

const dangling = release('app', byRef('nowhere'), 'web')

test.each<readonly [what: string, files: Files]>([
  ['an archive', { '.archive/app.yaml': dangling, 'x/_archive/app.yaml': dangling, 'archived/app.yaml': dangling }],
  ['what git ignores', { '.gitignore': 'private/\n*.local.yaml\n', 'private/app.yaml': dangling, 'a.local.yaml': dangling }],
  ['templates of a chart', { 'c/Chart.yaml': 'name: c\nversion: 1.0.0\n', 'c/templates/app.yaml': dangling }],
  [
    'what a kustomization leaves out',
    { 'apps/kustomization.yaml': kustomization('b.yaml'), 'apps/b.yaml': '', 'apps/a/app.yaml': dangling },
  ],
  [
    'a path of a Flux Kustomization that is left out itself',
    {
      'apps/kustomization.yaml': kustomization('b.yaml'),
      'apps/b.yaml': '',
      'apps/a/ks.yaml': flux('a', { path: './apps/a/app', dependsOn: [{ name: 'gone' }] }),
      'apps/a/app/kustomization.yaml': kustomization('app.yaml'),
      'apps/a/app/app.yaml': dangling,
    },
  ],
  [
    'a patch, which is no release of its own',
    {
      'a/kustomization.yaml': JSON.stringify({ resources: ['app.yaml', 'oci.yaml'], patches: [{ path: 'patches/one.yaml' }] }),
      'a/app.yaml': release('app', byRef('chart')),
      'a/oci.yaml': oci('chart', 'oci://example.com/chart', { tag: '1.0.0' }),
      'a/patches/one.yaml': release('app', { values: { a: 1 } }),
    },
  ],
  [
    'a chart that a patch brings',
    {
      'ks.yaml': flux('a', {
        path: './b',
        patches: [{ target: { kind: 'HelmRelease' }, patch: '- op: add\n  path: /spec/chartRef\n  value: {}\n' }],
      }),
      'b/app.yaml': release('app', { interval: '1h' }),
    },
  ],
  [
    'a name that Flux fills in',
    { 'a.yaml': release('app', byRef('app')), 'b.yaml': oci(filledIn('APP'), 'oci://example.com/a', { tag: '1.0.0' }) },
  ],
  [
    'a namespace that Flux fills in',
    { 'a.yaml': release('app', byRef('b'), 'web'), 'b.yaml': oci('b', 'oci://example.com/b', { tag: '1.0.0' }, filledIn('NS')) },
  ],
  [
    "a source in the namespace of Flux's target",
    {
      'ks.yaml': flux('a', { path: './a', targetNamespace: 'web', postBuild: { substitute: { APP: 'a' } } }),
      'a/kustomization.yaml': kustomization('app.yaml'),
      'a/app.yaml': release('app', byRef('b')),
      'b.yaml': oci('b', 'oci://example.com/b', { tag: '1.0.0' }, 'web'),
    },
  ],
  [
    'a release that a ResourceSet makes, and whoever waits for it',
    {
      'set.yaml': resourceSet({ inputsFrom: [{ name: 'p' }], resources: [JSON.parse(release('<< inputs.id >>', byRef('b')))] }),
      'a.yaml': release('app', { ...byRef('b'), dependsOn: [{ name: 'made' }] }, 'web'),
      'b.yaml': oci('b', 'oci://example.com/b', { tag: '1.0.0' }, 'web'),
    },
  ],
  [
    'what a ResourceSet uses by a name that is filled in, and what it makes by written inputs',
    {
      'set.yaml': resourceSet({
        inputs: [{ app: 'made' }],
        resources: [
          JSON.parse(release('<< inputs.app >>', { chart: byChart('<< inputs.from >>-charts') }, 'web')),
          JSON.parse(oci('<< inputs.app >>', 'oci://example.com/a', { tag: '1.0.0' }, 'web')),
        ],
      }),
      'a.yaml': release('app', { ...byRef('made'), dependsOn: [{ name: 'made' }] }, 'web'),
      'repository.yaml': repository('other-charts', 'web'),
    },
  ],
  [
    'a template of a ResourceSet that is no YAML, of the kinds that it names',
    {
      'set.yaml': resourceSet({ resourcesTemplate: 'kind: HelmRelease\n<< toYaml inputs >>: [\n' }),
      'repository.yaml': repository('r', 'web'),
      'a.yaml': release('app', { ...byRef('b'), dependsOn: [{ name: 'made' }] }, 'web'),
      'b.yaml': oci('b', 'oci://example.com/b', { tag: '1.0.0' }, 'web'),
    },
  ],
  ['the rules by which SOPS encrypts', { '.sops.yaml': 'creation_rules:\n  - path_regex: x\n' }],
  ['braces of a template as keys', { 'a.yaml': 'metadata:\n  name: {{ .Name }}\n  labels: { {{ x }}: 1 }\n' }],
  ['variables that make it YAML', { 'a.yaml': `targets: [vault.${filledIn('DOMAIN')}:8200]\n` }],
])('nothing is said of %s', (_what, files) => {
  expect(found(files)).toEqual([])
})

test.each<readonly [what: string, files: Files, expected: readonly string[]]>([
  ['a file that nothing leaves out', { 'apps/app.yaml': dangling }, ['apps/app.yaml:1']],
  ['a file of a kustomization', { 'a/kustomization.yaml': kustomization('app.yaml'), 'a/app.yaml': dangling }, ['a/app.yaml:1']],
  [
    'a path of Flux past a kustomization that does not name it',
    {
      'apps/kustomization.yaml': kustomization('a/ks.yaml'),
      'apps/a/ks.yaml': flux('a', { path: './apps/a/app' }),
      'apps/a/app/kustomization.yaml': kustomization('app.yaml'),
      'apps/a/app/app.yaml': dangling,
    },
    ['apps/a/app/app.yaml:1'],
  ],
  [
    "Flux's components",
    {
      'apps/kustomization.yaml': kustomization('ks.yaml'),
      'apps/ks.yaml': flux('a', { path: './apps/a', components: ['../parts/one'] }),
      'apps/a/kustomization.yaml': kustomization('cm.yaml'),
      'apps/a/cm.yaml': object('v1', 'ConfigMap', 'c', {}),
      'apps/parts/one/kustomization.yaml': JSON.stringify({
        kind: 'Component',
        apiVersion: 'kustomize.config.k8s.io/v1alpha1',
        resources: ['app.yaml'],
      }),
      'apps/parts/one/app.yaml': dangling,
    },
    ['apps/parts/one/app.yaml:1'],
  ],
  [
    "an artifact's path, which begins within the tree",
    {
      'k/apps/kustomization.yaml': kustomization('ks.yaml'),
      'k/apps/ks.yaml': flux('a', { path: './apps/a' }),
      'k/apps/a/app.yaml': dangling,
    },
    ['k/apps/a/app.yaml:1'],
  ],
  [
    'directories of an ApplicationSet',
    {
      'kustomization.yaml': kustomization('set.yaml'),
      'set.yaml': object('argoproj.io/v1alpha1', 'ApplicationSet', 's', {
        generators: [{ git: { directories: [{ path: 'system/*' }] } }],
      }),
      'system/a/app.yaml': dangling,
    },
    ['system/a/app.yaml:1'],
  ],
])('a source that is missing is told in %s', (_what, files, expected) => {
  expect(found(files).map(line => line.split(' ')[1])).toEqual(expected)
  expect(found(files)[0]).toMatch(/^flux-dangling-source/)
})

test.each<readonly [what: string, files: Files, expected: readonly string[]]>([
  [
    'beside a ResourceSet whose releases are written out',
    {
      'set.yaml': resourceSet({ resources: [JSON.parse(release('made', byRef('b'), 'web'))] }),
      'repository.yaml': repository('r', 'web'),
      'b.yaml': oci('b', 'oci://example.com/b', { tag: '1.0.0' }, 'web'),
    },
    ['flux-unused-repository repository.yaml:1'],
  ],
  [
    'a release that a ResourceSet makes, without its source',
    {
      'set.yaml': resourceSet({ inputs: [{ n: 'a' }], resources: [JSON.parse(release('<< inputs.n >>', byRef('gone'), 'web'))] }),
    },
    ['flux-dangling-source set.yaml:1'],
  ],
  [
    'a release without a chart beside a patch of the chart of another',
    {
      'a/kustomization.yaml': JSON.stringify({
        resources: ['one.yaml', 'two.yaml'],
        patches: [{ target: { kind: 'HelmRelease', name: 'one.*' }, patch: '- op: add\n  path: /spec/chartRef\n  value: {}\n' }],
      }),
      'a/one.yaml': release('one-a', { interval: '1h' }),
      'a/two.yaml': release('two', { interval: '1h' }),
    },
    ['flux-both-chart-and-ref a/two.yaml:1'],
  ],
  [
    'a release without a chart beyond the reach of a patch',
    {
      'a/kustomization.yaml': JSON.stringify({ resources: ['one.yaml'], patches: [{ path: 'patch.yaml' }] }),
      'a/patch.yaml': release('one', byRef('b', 'OCIRepository')),
      'a/one.yaml': release('one', { interval: '1h' }),
      'a/b.yaml': '',
      'b/one.yaml': release('one', { interval: '1h' }),
    },
    ['flux-both-chart-and-ref b/one.yaml:1'],
  ],
  [
    'a release without a chart that a replacement of other fields selects',
    {
      'a/kustomization.yaml': JSON.stringify({
        resources: ['one.yaml', 'two.yaml'],
        replacements: [
          { source: {}, targets: [{ select: { kind: 'HelmRelease', name: 'one' }, fieldPaths: ['spec.chartRef.name'] }] },
          { source: {}, targets: [{ select: { kind: 'HelmRelease', name: 'two' }, fieldPaths: ['spec.interval'] }] },
        ],
      }),
      'a/one.yaml': release('one', { interval: '1h' }),
      'a/two.yaml': release('two', { interval: '1h' }),
    },
    ['flux-both-chart-and-ref a/two.yaml:1'],
  ],
])('what is made and patched elsewhere keeps quiet no more than that: %s', (_what, files, expected) => {
  expect(found(files).map(line => line.split(' ').slice(0, 2).join(' '))).toEqual(expected)
})

test('a file encrypted by SOPS is told once, by what it holds and not by its name', () => {
  const encrypted = 'kind: Secret\nsops: {}\n---\nkind: Secret\nsops: {}\n'
  const files = {
    'a.yaml': encrypted,
    'b.sops.yaml': JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }),
  }
  expect(found(files, 'file-skipped')).toEqual(['file-skipped a.yaml is encrypted by SOPS: not looked into'])
})

const named = (files: Files) => found(files, 'upstream-present').map(line => line.replace(/ is installed.*$/, ''))

test.each<readonly [what: string, files: Files, expected: readonly string[]]>([
  [
    'a HelmRelease with a chart',
    {
      'a.yaml': release('r', {
        chart: { spec: { chart: 'reloader', version: '2.2.7', sourceRef: { kind: 'GitRepository', name: 'g' } } },
      }),
    },
    ['upstream-present a.yaml:1 Reloader (chart reloader 2.2.7)'],
  ],
  [
    'an OCIRepository',
    {
      'a.yaml': release('r', byRef('m'), 'x'),
      'b.yaml': oci('m', 'oci://example.com/charts/metrics-server', { tag: '3.13.0' }, 'x'),
    },
    ['upstream-present a.yaml:1 metrics-server (chart metrics-server 3.13.0)'],
  ],
  [
    'a HelmChart of Flux',
    {
      'a.yaml': release('r', byRef('m', 'HelmChart')),
      'b.yaml': object('source.toolkit.fluxcd.io/v1', 'HelmChart', 'm', { chart: 'keda', version: '2.20.2' }),
    },
    ['upstream-present a.yaml:1 KEDA (chart keda 2.20.2)'],
  ],
  [
    'a HelmChart of k3s',
    {
      'a.yaml': object('helm.cattle.io/v1', 'HelmChart', 'k', {
        chart: 'https://example.com/descheduler-0.34.0.tgz',
        version: '0.34.0',
      }),
    },
    ['upstream-present a.yaml:1 descheduler (chart descheduler 0.34.0)'],
  ],
  [
    'an Application with sources',
    {
      'a.yaml': object('argoproj.io/v1alpha1', 'Application', 'a', {
        sources: [{ chart: 'spegel', targetRevision: '0.7.4' }, { ref: 'values' }],
      }),
    },
    ['upstream-present a.yaml:1 Spegel (chart spegel 0.7.4)'],
  ],
  [
    'an ApplicationSet',
    {
      'a.yaml': object('argoproj.io/v1alpha1', 'ApplicationSet', 'a', {
        template: { spec: { source: { chart: 'karpenter', targetRevision: '1.5.0' } } },
      }),
    },
    ['upstream-present a.yaml:1 Karpenter (chart karpenter 1.5.0)'],
  ],
  [
    'a helmfile, at the line of the release',
    {
      'helmfile.yaml':
        'releases:\n  - name: one\n    chart: a/one\n  - name: two\n    chart: oci://example.com/spegel\n    version: 0.7.0\n',
    },
    ['upstream-present helmfile.yaml:4 Spegel (chart spegel 0.7.0)'],
  ],
  [
    'a helmfile that installs what Flux installs: told once',
    {
      'a.yaml': release('r', {
        chart: { spec: { chart: 'spegel', version: '0.7.4', sourceRef: { kind: 'GitRepository', name: 'g' } } },
      }),
      'helmfile.yaml': 'releases:\n  - name: s\n    chart: oci://example.com/spegel\n    version: 0.7.0\n',
    },
    ['upstream-present a.yaml:1 Spegel (chart spegel 0.7.4)'],
  ],
  [
    'dependencies of a chart',
    { 'c/Chart.yaml': 'name: c\nversion: 1.0.0\ndependencies:\n  - name: goldilocks\n    version: 6.1.4\n' },
    ['upstream-present c/Chart.yaml:4 Goldilocks (chart goldilocks 6.1.4)'],
  ],
  [
    'helmCharts of kustomize and a remote resource',
    {
      'a/kustomization.yaml': JSON.stringify({ helmCharts: [{ name: 'liqo', version: '1.0.1' }] }),
      'b/kustomization.yaml': kustomization(
        'https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.8.0/components.yaml',
      ),
    },
    [
      'upstream-present b/kustomization.yaml:1 metrics-server (manifests v0.8.0)',
      'upstream-present a/kustomization.yaml:1 Liqo (chart liqo 1.0.1)',
    ],
  ],
  [
    'the image in the values of a chart for anything',
    {
      'a.yaml': release('r', {
        chart: { spec: { chart: 'any', sourceRef: {} } },
        values: { image: { repository: 'docker.io/intel/intel-gpu-plugin', tag: '0.25.0' } },
      }),
    },
    ['upstream-present a.yaml:1 Intel device plugins (image 0.25.0)'],
  ],
  [
    'a ResourceSet, at its own line, with the inputs filled in',
    {
      'set.yaml': [
        'apiVersion: fluxcd.controlplane.io/v1',
        'kind: ResourceSet',
        'metadata: {name: s}',
        'spec:',
        '  inputs: [{version: 0.7.4}]',
        '  resources:',
        `    - ${release('m', byRef('m'), 'x')}`,
        `    - ${oci('m', 'oci://example.com/spegel', { tag: '<< inputs.version | quote >>' }, 'x')}`,
      ].join('\n'),
    },
    ['upstream-present set.yaml:7 Spegel (chart spegel 0.7.4)'],
  ],
  ['nothing in an archive', { '.archive/a.yaml': release('r', { chart: { spec: { chart: 'reloader' } } }) }, []],
])('upstreams are named by %s', (_what, files, expected) => {
  expect(named(files)).toEqual(expected)
})

test('an upstream beyond the versions that are known is not given a command that refuses it', () => {
  const root = mkdtempSync(join(tmpdir(), 'ballast-tree-'))
  const fixOf = (version: string) => {
    const chart = { spec: { chart: 'reloader', version, sourceRef: { kind: 'GitRepository', name: 'g' } } }
    writeFileSync(join(root, 'a.yaml'), release('r', { chart, suspend: true }))
    return examineRepository(readRepository(root)).find(({ id }) => id === 'upstream-present')
  }
  try {
    expect(fixOf('2.2.7')).toMatchObject({
      fix: 'ballast migrate plan reloader   # its values: ballast migrate values --from reloader@2.2.7 a.yaml',
      message: expect.stringMatching(/switched off; Ballast's reload takes its place/),
    })
    expect(fixOf('1.0.71')?.fix).toMatch(/^ballast migrate plan reloader {3}# its values are known from chart 2\.2\.7 to /)
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('what nothing leads to is told once for the kustomization that leaves it out', () => {
  const files = {
    'apps/kustomization.yaml': kustomization('b.yaml'),
    'apps/b.yaml': '',
    'apps/a/app.yaml': dangling,
    'apps/a/deep/kustomization.yaml': kustomization('two.yaml'),
    'apps/a/deep/two.yaml': dangling,
  }
  expect(found(files, 'file-skipped')).toEqual([
    'file-skipped apps/a/app.yaml apps/a/app.yaml and 1 more: no kustomization that is applied takes them in, and no path of Flux or Argo CD that is applied leads there, so what they say is not judged',
  ])
})

test.each<readonly [rules: string, path: string, isFolder: boolean, isOut: boolean]>([
  ['private', 'a/private', true, true],
  ['/private', 'a/private', true, false],
  ['private/', 'private', false, false],
  ['*.yaml\n!keep.yaml', 'keep.yaml', false, false],
  ['*.yaml\n!keep.yaml', 'a/b.yaml', false, true],
  ['a/*.yaml', 'a/b/c.yaml', false, false],
  ['a/**/c.yaml', 'a/b/d/c.yaml', false, true],
  ['**/c', 'x/y/c', true, true],
  ['a/**', 'a/b/c', false, true],
  ['file[0-9].yaml', 'file7.yaml', false, true],
  ['file[!0-9].yaml', 'file7.yaml', false, false],
  ['# private', 'private', true, false],
  ['\\#a', '#a', false, true],
  ['a[', 'a[', false, true],
  ['[z-a]', 'b', false, false],
])('by %j git ignores %j (a folder: %s): %s', (rules, path, isFolder, isOut) => {
  expect(isIgnored(path, isFolder, [ignoreFile('', rules)])).toBe(isOut)
})

test('no text of a .gitignore breaks the reading, and a rule holds below its own folder only', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 }), (rules, path) => {
      isIgnored(path, false, [ignoreFile('', rules)])
      expect(isIgnored(`elsewhere/${path}`, false, [ignoreFile('here', rules)])).toBe(false)
    }),
  )
})

test('a path means the folder of its name, else one that ends so, else the rest of it', () => {
  const folders = foldersOf(['k/apps/a/x.yaml', 'k/apps/b/x.yaml'])
  expect(foldersMeant('./k/apps/a/', folders)).toEqual(['k/apps/a'])
  expect(foldersMeant('apps/b', folders)).toEqual(['k/apps/b'])
  expect(foldersMeant('repository/k/apps', folders)).toEqual(['k/apps'])
  expect(foldersMeant(`k/apps/${filledIn('NAME')}`, folders)).toEqual(['k/apps/a', 'k/apps/b'])
  expect(foldersMeant('nowhere', folders)).toEqual([])
})
