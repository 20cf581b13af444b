import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readRepository } from '#doctor/repository.ts'
import { withoutHours } from './carried.ts'
import { addressKey, readChartSources } from './chart-sources.ts'
import { migrateToOci, type OciMigration, type OciOptions } from './migrate.ts'
import type { TagLook } from './registry-look.ts'
import { textBelow } from './text-below.ts'

type Files = Readonly<Record<string, string | Buffer>>

const plain: OciOptions = {
  rows: [],
  mirror: false,
  allowUpgrade: false,
  allowUnseen: false,
  copySecrets: false,
  style: 'keep',
  interval: '1h',
  include: [],
  exclude: [],
  prune: 'nothing',
}

/** What becomes of a tree of these files, and the tree afterwards. */
function migrated(
  files: Files,
  options: Partial<OciOptions> = {},
): OciMigration & { readonly after: Readonly<Record<string, string>> } {
  const root = mkdtempSync(join(tmpdir(), 'ballast-oci-'))
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    const migration = migrateToOci(readRepository(root), file => textBelow(root, file), { ...plain, ...options })
    const after: Record<string, string> = {}
    for (const [path, text] of Object.entries(files)) after[path] = String(text)
    for (const { path, after: text } of migration.changes)
      if (text === undefined) delete after[path]
      else after[path] = text
    return { ...migration, after }
  } finally {
    rmSync(root, { recursive: true })
  }
}

const repository = (name: string, url: string, more = '') =>
  `apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: ${name}\n  namespace: flux-system\nspec:\n  interval: 1h\n  url: ${url}\n${more}`

const release = (chart: string, version: string | undefined, source: string, more = '', namespace = 'apps') =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: ${chart}\n  namespace: ${namespace}\nspec:\n  chart:\n    spec:\n      chart: ${chart}\n${version === undefined ? '' : `      version: ${version}\n`}      sourceRef:\n        kind: HelmRepository\n        name: ${source}\n        namespace: flux-system\n${more}`

const stakater = repository('stakater', 'https://stakater.github.io/stakater-charts')
const community = repository('prometheus-community', 'https://prometheus-community.github.io/helm-charts/')
const metrics = repository('ms', 'https://kubernetes-sigs.github.io/metrics-server')

/** Reason or version of the only release. */
function outcome(files: Files, options: Partial<OciOptions> = {}): string {
  const { releases } = migrated(files, options)
  return releases.map(({ reason, version }) => reason ?? version ?? '').join()
}

const reloader = `---
# yaml-language-server: $schema=https://example.com/helm.toolkit.fluxcd.io/helmrelease_v2.json
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: &app reloader
spec:
  interval: 30m
  chart:
    spec:
      chart: reloader
      version: 1.0.101 # renovate: ignore
      sourceRef:
        kind: HelmRepository
        name: stakater
        namespace: flux-system

  # what follows is ours
  values:
    fullnameOverride: *app
    podMonitor:
      namespace: "{{ .Release.Namespace }}"
`

test('a release gets its source before it, and every other byte stays (cases 1, 11)', () => {
  const { after, releases } = migrated({ 'r.yaml': reloader, 'hr.yaml': stakater })
  expect(after['r.yaml']).toBe(`---
# yaml-language-server: $schema=https://example.com/source.toolkit.fluxcd.io/ocirepository_v1.json
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: reloader
spec:
  interval: 1h
  layerSelector:
    mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip
    operation: copy
  ref:
    tag: 1.0.101 # renovate: ignore
  url: oci://ghcr.io/stakater/charts/reloader
---
# yaml-language-server: $schema=https://example.com/helm.toolkit.fluxcd.io/helmrelease_v2.json
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: &app reloader
spec:
  interval: 30m
  chartRef:
    kind: OCIRepository
    name: reloader

  # what follows is ours
  values:
    fullnameOverride: *app
    podMonitor:
      namespace: "{{ .Release.Namespace }}"
`)
  expect(releases).toMatchObject([{ outcome: 'migrated', from: 'https://stakater.github.io/stakater-charts/reloader' }])
})

test('a second run finds nothing (case 2)', () => {
  const first = migrated({ 'r.yaml': reloader, 'hr.yaml': stakater })
  const second = migrated(first.after)
  expect(second.changes).toEqual([])
  expect(second.releases).toMatchObject([{ outcome: 'left', reason: 'no-chart' }])
})

test('what upstream does not publish stays, unless a mirror is asked for; never an upgrade that nobody meant (case 3)', () => {
  const files = { 'r.yaml': release('metrics-server', '3.12.1', 'ms'), 'hr.yaml': metrics }
  expect(outcome(files)).toBe('no-oci-source')
  expect(migrated(files).releases[0]?.because).toContain('#1527')
  expect(outcome(files, { mirror: true })).toBe('version-not-published')
  const { releases } = migrated(files, { mirror: true, allowUpgrade: true })
  expect(releases[0]).toMatchObject({ version: '3.13.0', to: 'oci://ghcr.io/home-operations/charts-mirror/metrics-server' })
  expect(releases[0]?.notes).toContain('3.12.1 → 3.13.0')
})

test.each<readonly [written: string | undefined, line: string]>([
  [undefined, 'semver: "*"'],
  ["'>=4.0.0 <5'", "semver: '>=4.0.0 <5'"],
  ['1.10', 'semver: "1.10"'],
  ['1.x', 'semver: 1.x'],
  ['1.2.3+build.4', 'tag: 1.2.3_build.4'],
  ['=1.2.3', 'tag: 1.2.3'],
  ['v1.2.3', 'tag: 1.2.3'],
  ['"1.2.3"', 'tag: "1.2.3"'],
  ['${VERSION:=1.2.3}', 'tag: ${VERSION:=1.2.3}'],
])('version %s becomes %s (cases 4, 5)', (written, line) => {
  const { after } = migrated({ 'r.yaml': release('reloader', written, 'stakater'), 'hr.yaml': stakater })
  expect(after['r.yaml']).toContain(`    ${line}\n`)
})

test('what registries say of a tag is heeded: absent is refused, unknown is a note, and one that is there may be old', () => {
  const files = {
    'r.yaml': release('cert-manager', 'v1.9.0', 'jetstack'),
    'hr.yaml': repository('jetstack', 'https://charts.jetstack.io'),
  }
  const said = (look: TagLook, options: Partial<OciOptions> = {}) =>
    migrated(files, { ...options, looks: new Map([['oci://quay.io/jetstack/charts/cert-manager:v1.9.0', look]]) }).releases[0]
  expect(said({ kind: 'there' })).toMatchObject({ outcome: 'migrated', tag: 'v1.9.0', isThere: true, notes: [] })
  expect(said({ kind: 'unknown', because: 'nobody answers' })).toMatchObject({ outcome: 'refused', reason: 'version-unseen' })
  const unseen = { allowUnseen: true }
  expect(said({ kind: 'absent' }, unseen)).toMatchObject({ outcome: 'refused', reason: 'tag-absent' })
  const unknown = said({ kind: 'unknown', because: 'nobody answers' }, unseen)
  expect(unknown).toMatchObject({ outcome: 'migrated', notes: expect.arrayContaining(['not checked: nobody answers']) })
  expect(unknown).not.toHaveProperty('isThere')
})

test('the registry of cert-manager writes a v, whether the release does or not', () => {
  const files = (version: string) => ({
    'r.yaml': release('cert-manager', version, 'jetstack'),
    'hr.yaml': repository('jetstack', 'https://Charts.Jetstack.io/index.yaml'),
  })
  expect([outcome(files('v1.18.2')), outcome(files('1.18.2'))]).toEqual(['v1.18.2', 'v1.18.2'])
  expect(outcome(files('v1.9.0'))).toBe('version-unseen')
  expect(outcome(files('v1.9.0'), { allowUnseen: true })).toBe('v1.9.0')
})

test('an OCI repository keeps its own address, whatever a table says (case 6)', () => {
  const { releases } = migrated(
    {
      'r.yaml': release('kube-prometheus-stack', '80.0.0', 'pc'),
      'hr.yaml': repository('pc', 'oci://registry.example/charts/', '  type: oci\n  timeout: 1h30m\n  provider: aws\n'),
    },
    { rows: readChartSources('t.yaml', '[{url: registry.example/charts, charts: any, oci: "oci://other.example/<chart>"}]') },
  )
  expect(releases).toMatchObject([{ outcome: 'migrated', to: 'oci://registry.example/charts/kube-prometheus-stack' }])
})

test('a repository that a release still uses stays (case 7)', () => {
  const { repositories, after } = migrated(
    {
      'a.yaml': release('kube-prometheus-stack', '80.0.0', 'prometheus-community', '', 'observability'),
      'b.yaml': release('prometheus-blackbox-exporter', '11.0.0', 'prometheus-community', '', 'observability'),
      'hr.yaml': community,
    },
    { include: ['*kube-prom*'], prune: 'freed' },
  )
  expect(repositories).toMatchObject([{ outcome: 'kept', because: 'still used by observability/prometheus-blackbox-exporter' }])
  expect(after['hr.yaml']).toBe(community)
})

test('a repository that nobody names any more goes, with its line (case 8)', () => {
  const files = {
    'kustomization.yaml': '# all\nresources:\n  - ./a.yaml\n  - ./repositories\n',
    'a.yaml': release('reloader', '2.2.16', 'stakater'),
    'repositories/kustomization.yaml': 'resources: # of Helm\n  - stakater.yaml\n',
    'repositories/stakater.yaml': stakater,
  }
  const { after, repositories } = migrated(files, { prune: 'freed' })
  expect(repositories).toMatchObject([{ outcome: 'removed' }])
  expect(after['repositories/stakater.yaml']).toBeUndefined()
  expect(after['repositories/kustomization.yaml']).toBe('resources: [] # of Helm\n')
  const checked = {
    ...files,
    'ks.yaml': `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: k}\nspec:\n  path: ./\n  healthChecks: [{kind: HelmRepository, name: stakater, namespace: flux-system}]\n`,
  }
  expect(migrated(checked, { prune: 'freed' }).repositories[0]?.because).toBe('still used by Kustomization k')
  const together = { 'all.yaml': `${stakater}---\n${release('reloader', '2.2.16', 'stakater')}` }
  const text = migrated(together, { prune: 'freed' }).after['all.yaml'] ?? ''
  expect([...text.matchAll(/^kind: (\w+)$/gm)].map(([, kind]) => kind)).toEqual(['OCIRepository', 'HelmRelease'])
})

test('a name in a file that is not looked into keeps a repository', () => {
  const files = { 'a.yaml': release('reloader', '2.2.16', 'stakater'), 'hr.yaml': stakater, 'x.yaml': 'a: [stakater\n' }
  expect(migrated(files, { prune: 'freed' }).repositories[0]?.because).toContain('x.yaml')
  const archived = { 'a.yaml': files['a.yaml'], 'hr.yaml': stakater, '.archive/b.yaml': files['a.yaml'] }
  expect(migrated(archived, { prune: 'freed' }).repositories).toMatchObject([{ outcome: 'removed' }])
})

test('bytes that are no UTF-8 are left alone', () => {
  const bytes = Buffer.concat([Buffer.from(release('reloader', '2.2.16', 'stakater')), Buffer.from([0x23, 0xff, 0x0a])])
  expect(outcome({ 'r.yaml': bytes, 'hr.yaml': stakater })).toBe('not-utf8')
})

const changed = (from: string, to: string) => ({
  'r.yaml': release('reloader', '2.2.16', 'stakater').replace(from, to),
  'hr.yaml': stakater,
})

test.each<readonly [reason: string, files: Files]>([
  ['values-files', changed('      version', '      valuesFiles: [values-prod.yaml]\n      version')],
  ['anchor-in-chart', changed('  chart:\n', '  chart: &c\n')],
  ['old-api', changed('fluxcd.io/v2\n', 'fluxcd.io/v2beta1\n')],
  ['both-sources', changed('  chart:\n', '  chartRef: {kind: OCIRepository, name: x}\n  chart:\n')],
  ['other-source', changed('kind: HelmRepository', 'kind: GitRepository')],
  ['source-missing', { 'r.yaml': release('reloader', '2.2.16', 'nobody') }],
  ['several-sources', { ...changed('a', 'a'), 'hr2.yaml': repository('stakater', 'https://other.example') }],
  ['unknown-address', { ...changed('a', 'a'), 'hr.yaml': repository('stakater', 'https://${HOST}/charts') }],
  ['name-prefix', { ...changed('a', 'a'), 'kustomization.yaml': 'namePrefix: x-\nresources: [r.yaml, hr.yaml]\n' }],
  [
    'patched-elsewhere',
    {
      ...changed('a', 'a'),
      'kustomization.yaml':
        'resources: [r.yaml, hr.yaml]\npatches:\n  - target: {kind: HelmRelease, name: reloader}\n    patch: |\n      - {op: replace, path: /spec/chart/spec/version, value: 2.2.15}\n',
    },
  ],
  ['secret-type', { ...changed('a', 'a'), 'hr.yaml': `${stakater}  secretRef: {name: basic}\n` }],
])('%s: told with its reason, and the file stays (cases 9, 10, 14)', (reason, files) => {
  const other = { 'other.yaml': release('kube-prometheus-stack', '80.0.0', 'prometheus-community'), 'pc.yaml': community }
  const isListed = 'kustomization.yaml' in files
  const { releases, after } = migrated(isListed ? files : { ...files, ...other })
  const row = releases.find(({ release: name }) => name.endsWith('reloader'))
  expect(row?.reason).toBe(reason)
  expect(row?.because).not.toBe('')
  expect(after['r.yaml']).toBe(files['r.yaml'])
  if (!isListed) expect(after['other.yaml']).toContain('chartRef')
})

test('a Secret of another namespace is copied by a person, or the release is refused (case 10)', () => {
  const files = {
    'r.yaml': release('app', '1.2.3', 'own'),
    'hr.yaml': repository('own', 'oci://ghcr.io/own/charts', '  type: oci\n  secretRef: {name: ghcr}\n'),
  }
  expect(outcome(files)).toBe('secret-namespace')
  const { releases, after } = migrated(files, { copySecrets: true })
  expect(after['r.yaml']).toContain('  secretRef:\n    name: ghcr\n')
  expect(releases[0]?.notes).toContain('copy Secret flux-system/ghcr → apps')
})

test('where most sources have files of their own, so has the new one, listed as the release is (case 12)', () => {
  const source = (name: string) =>
    `apiVersion: source.toolkit.fluxcd.io/v1beta2\nkind: OCIRepository\nmetadata: {name: ${name}}\nspec: {url: "oci://x.example/${name}", ref: {tag: 1.0.0}}\n`
  const { after } = migrated({
    'b/ocirepository.yaml': source('b'),
    'c/ocirepository.yaml': source('c'),
    'a/kustomization.yaml': '---\nresources:\n  # what is installed\n  - ./helmrelease.yaml\n  - ./hr.yaml\n',
    'a/helmrelease.yaml': `---\n${release('reloader', '2.2.16', 'stakater')}`,
    'a/hr.yaml': stakater,
  })
  expect(after['a/kustomization.yaml']).toBe(
    '---\nresources:\n  # what is installed\n  - ./ocirepository.yaml\n  - ./helmrelease.yaml\n  - ./hr.yaml\n',
  )
  expect(after['a/ocirepository.yaml']).toMatch(/^---\napiVersion: source.toolkit.fluxcd.io\/v1beta2\nkind: OCIRepository\n/)
  expect(after['a/helmrelease.yaml']).not.toContain('kind: HelmRepository')
})

test('line ends, steps and comments are those of the file (case 13)', () => {
  const text = release('reloader', '2.2.16', 'stakater')
    .replaceAll(/^ +/gm, spaces => spaces.repeat(2))
    .replace('            version', '            # pinned\n            # renovate: depName=reloader\n            version')
    .replace('chart: reloader', "chart: 'reloader' # the small one")
    .replaceAll('\n', '\r\n')
  const { after } = migrated({ 'r.yaml': `\uFEFF# ours\r\n\r\n${text}`, 'hr.yaml': stakater })
  const result = after['r.yaml'] ?? ''
  expect(result).toMatch(/^\uFEFF# ours\r\n\r\napiVersion: source/)
  expect(result.replaceAll('\r\n', '')).not.toContain('\n')
  expect(result).toContain(
    '    # the small one\r\n    # pinned\r\n    chartRef:\r\n        kind: OCIRepository\r\n        name: reloader\r\n',
  )
  expect(result).toContain('    ref:\r\n        # renovate: depName=reloader\r\n        tag: 2.2.16\r\n')
})

test('braces stay braces', () => {
  const text =
    'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: reloader, namespace: apps}\nspec: {chart: {spec: {chart: reloader, version: 2.2.16, sourceRef: {kind: HelmRepository, name: stakater, namespace: flux-system}}}, interval: 1h}\n'
  const { after } = migrated({ 'r.yaml': text, 'hr.yaml': stakater })
  expect(after['r.yaml']).toContain('spec: {chartRef: {kind: OCIRepository, name: reloader}, interval: 1h}\n')
})

test('what is encrypted or a template is passed over (case 15)', () => {
  const text = release('reloader', '2.2.16', 'stakater')
  const { releases, changes } = migrated({
    's.yaml': `${text}sops: {mac: x}\n`,
    't.yaml.j2': text,
    'u.yaml': text.replace('name: reloader', 'name: {{ name }}'),
    'hr.yaml': stakater,
  })
  expect([releases, changes]).toEqual([[], []])
})

test('a source that says the same is used again; another one of that name is not touched', () => {
  const source = (tag: string) =>
    `apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: reloader, namespace: apps}\nspec: {url: "oci://ghcr.io/stakater/charts/reloader", ref: {tag: ${tag}}}\n`
  const files = (tag: string) => ({
    'r.yaml': release('reloader', '2.2.16', 'stakater'),
    'hr.yaml': stakater,
    'o.yaml': source(tag),
  })
  expect(migrated(files('2.2.16')).after['r.yaml']).not.toContain('kind: OCIRepository\nmetadata')
  expect(migrated(files('2.2.15')).after['r.yaml']).toContain('    name: reloader-chart\n')
})

test('clusters of one repository have sources of their own', () => {
  const cluster = (name: string, url: string) => ({
    [`${name}/ks.yaml`]: `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: ${name}}\nspec: {path: ./${name}, sourceRef: {kind: GitRepository, name: x}}\n`,
    [`${name}/r.yaml`]: release('app', '1.2.3', 'own'),
    [`${name}/hr.yaml`]: repository('own', url, '  type: oci\n'),
  })
  const { releases } = migrated({ ...cluster('a', 'oci://a.example'), ...cluster('b', 'oci://b.example') })
  expect(releases.map(({ to }) => to)).toEqual(['oci://a.example/app', 'oci://b.example/app'])
})

test('a source that takes another name for the chart would uninstall it first', () => {
  const rows = readChartSources(
    't.yaml',
    '- {url: stakater.github.io/stakater-charts, charts: [reloader], oci: oci://x.example/other}',
  )
  const files = changed('a', 'a')
  expect(outcome(files, { rows })).toBe('chart-name')
  expect(outcome(changed('spec:\n', 'spec:\n  upgrade: {chartNameChangeStrategy: InPlaceUpdate}\n'), { rows })).toBe('2.2.16')
})

test('a table says which row is wrong', () => {
  expect(() => readChartSources('t.yaml', '- {url: a, charts: [x], oci: https://a}')).toThrow(/t\.yaml: row 0\.oci/)
  expect(() => readChartSources('t.yaml', '[')).toThrow(/t\.yaml/)
})

test.each([
  ['1h', '60m'],
  ['1h30m', '90m'],
  ['0.5h10s', '30m10s'],
  ['90s', '90s'],
  ['${T}', '${T}'],
])('a timeout of %s is %s (case 39)', (given, wanted) => expect(withoutHours(given)).toBe(wanted))

test('addresses of one repository are one', () => {
  expect(['https://A.example/x/', 'http://a.example/x/index.yaml', 'a.example/x'].map(addressKey)).toEqual(
    Array(3).fill('a.example/x'),
  )
})
