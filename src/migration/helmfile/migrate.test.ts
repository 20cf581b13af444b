// Helmfiles with upstreams' charts, as they become Ballast's: whole texts, and what is refused or named.
import { describe, expect, test } from 'vitest'
import { readHelmfile } from './helmfile-text.ts'
import { type HelmfileMigration, migrateHelmfile } from './migrate.ts'

const bridge =
  '{{ (fromYaml (readFile (printf "../../apps/%s/%s/app/helmrelease.yaml" .Release.Namespace .Release.Name))).spec.values | toYaml }}\n'

const beside: Readonly<Record<string, string>> = {
  'spegel.yaml': 'spegel:\n  containerdSock: /run/containerd/containerd.sock\nservice:\n  registry:\n    hostPort: 29999\n',
  'typo.yaml': '# two lines\nspegel:\n  resolveNothing: 1\n',
  'sealed.yaml': 'spegel: {}\nsops: {}\n',
  'templates/values.yaml.gotmpl': bridge,
  'own.yaml.gotmpl': 'spegel:\n  containerdSock: {{ env "SOCK" }}\n',
  '../apps/kube-system/spegel/app/helmrelease.yaml':
    'kind: OCIRepository\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    spegel:\n      appendNothing: true\n',
}

function migrated(text: string, allowLossy = false): HelmfileMigration & { readonly after: string; readonly values: string } {
  const read = readHelmfile('helmfile.yaml', text)
  if ('because' in read) throw new Error(`${read.line}:${read.column}: ${read.because}`)
  const options = { chart: 'oci://registry.example/ballast', version: '0.1.0', valuesFile: 'ballast-values.yaml', allowLossy }
  const found = migrateHelmfile(
    read,
    path => (beside[path] === undefined ? { because: 'there is no such file' } : { text: beside[path] }),
    options,
  )
  const [values, file] = found.changes
  return { ...found, after: file?.after ?? '', values: values?.after ?? '' }
}

/** One release of Spegel, with further lines. */
const one = (...lines: readonly string[]) =>
  ['releases:', '  - name: spegel', '    namespace: kube-system', '    chart: oci://r.example/spegel', ...lines, ''].join('\n')

test('several become one where the first stood, and nothing else changes', () => {
  const { after, values, rows, notes } = migrated(`# bootstrap
environments:
  production:
---
repositories:
  - {name: stakater, url: https://stakater.github.io/stakater-charts}
  - {name: jetstack, url: https://charts.jetstack.io}
releases:
  - name: cilium   # first
    namespace: kube-system
    chart: cilium/cilium

  # the mirror
  - name: "spegel"
    namespace: kube-system
    chart: oci://ghcr.io/spegel-org/helm-charts/spegel
    # renovate: depName=spegel
    version: '0.7.3'   # pinned
    values: [./spegel.yaml]
    needs: ["kube-system/cilium"]

  - name: cert-manager
    namespace: cert-manager
    chart: jetstack/cert-manager
    needs: ["kube-system/spegel", reloader/reloader]

  - name: reloader
    namespace: reloader
    chart: stakater/reloader
    version: 2.2.7
    timeout: 90
    set:
      - {name: reloader.logFormat, value: json}

  - name: shop
    chart: ./shop
    needs:
      - prod/reloader/reloader   # it reads its configuration once
      - cert-manager/cert-manager
`)
  expect(after).toBe(`# bootstrap
environments:
  production:
---
repositories:
  - {name: stakater, url: https://stakater.github.io/stakater-charts}
  - {name: jetstack, url: https://charts.jetstack.io}
releases:
  - name: cilium   # first
    namespace: kube-system
    chart: cilium/cilium

  # the mirror
  - name: "ballast"
    namespace: kube-system
    chart: oci://registry.example/ballast
    # renovate: depName=spegel
    version: '0.1.0'   # pinned
    values: ["ballast-values.yaml"]
    needs: ["kube-system/cilium"]

  - name: cert-manager
    namespace: cert-manager
    chart: jetstack/cert-manager
    needs: ["kube-system/ballast"]

  - name: shop
    chart: ./shop
    needs:
      - prod/kube-system/ballast   # it reads its configuration once
      - cert-manager/cert-manager
`)
  expect(values).toBe(`capabilities:
  mirror:
    enabled: true
    containerdSock: /run/containerd/containerd.sock
    ports:
      - 29999
  reload:
    enabled: true
process:
  logFormat: json
`)
  expect(rows.map(({ release, where, outcome }) => `${outcome} ${release} ${where}`)).toEqual([
    'swapped kube-system/spegel helmfile.yaml:14',
    'joined reloader/reloader helmfile.yaml:27',
  ])
  expect(notes).toEqual([
    "helmfile.yaml:17: this comment has Renovate look for upstream's versions: change it",
    'helmfile.yaml:31: timeout of release reloader/reloader goes with it',
    'helmfile.yaml:27: what was in namespace reloader is now where ballast is',
    'helmfile.yaml:6: no release here takes charts from repository stakater any more',
    'helmfile does not remove what it no longer lists: where these run already, ballast migrate plan spegel, or reloader says how ours takes the place',
  ])
  const again = migrated(after)
  expect([again.rows, again.changes]).toEqual([[], []])
})

test('keys that it lacks are added, secrets and hooks are told', () => {
  const { after, rows, notes } = migrated(
    one('    hooks:', '      - events: [postsync]', '    secrets:', '      - secrets.yaml', '    wait: true'),
    true,
  )
  expect(after).toBe(`releases:
  - name: ballast
    namespace: kube-system
    chart: oci://registry.example/ballast
    version: 0.1.0
    values: ["ballast-values.yaml"]
    hooks:
      - events: [postsync]
    wait: true
`)
  expect(rows[0]?.unread).toEqual([
    { where: 'helmfile.yaml:8', what: 'secrets.yaml', because: 'it is encrypted, and never read' },
  ])
  expect(notes.slice(0, 2)).toEqual([
    'helmfile.yaml:5: hooks stays, now of release ballast: look whether it fits',
    'helmfile.yaml:9: wait stays, now of release ballast: look whether it fits',
  ])
})

test('lines end as they did', () => {
  const { after } = migrated(one('    values:', '      - spegel.yaml').replaceAll('\n', '\r\n'))
  expect(after).toBe(
    'releases:\r\n  - name: ballast\r\n    namespace: kube-system\r\n    chart: oci://registry.example/ballast\r\n    version: 0.1.0\r\n    values:\r\n      - ballast-values.yaml\r\n',
  )
})

describe('what cannot be carried is named by file and line', () => {
  test.each([
    ['a key that nobody knows', 'typo.yaml', 'unknown typo.yaml:3 spegel.resolveNothing'],
    [
      'by way of a HelmRelease',
      'templates/values.yaml.gotmpl',
      'unknown ../apps/kube-system/spegel/app/helmrelease.yaml:8 spegel.appendNothing',
    ],
    ['a template', 'own.yaml.gotmpl', 'helmfile.yaml:6 a template stands in it: what it says is known to helmfile alone'],
    ['encrypted', 'sealed.yaml', 'helmfile.yaml:6 it is encrypted, and never read'],
    ['absent', 'absent.yaml', 'helmfile.yaml:6 there is no such file'],
    ['elsewhere', 'git::https://example.net/v.yaml', 'helmfile.yaml:6 it lies elsewhere: only files of this machine are read'],
    ['a pattern', 'values/*.yaml', 'helmfile.yaml:6 it is a pattern: name each file'],
    ['a name of helmfile', '"{{ .Environment.Name }}.yaml"', 'helmfile.yaml:6 its name is a template'],
    ['a template in values', '{spegel: {containerdSock: "{{ env `SOCK` }}"}}', 'helmfile.yaml:6 a template stands in them'],
  ])('%s', (_, entry, expected) => {
    const text = one('    values:', `      - ${entry}`)
    const { rows, changes } = migrated(text)
    const [row] = rows
    const told = [
      ...(row?.report ?? []).filter(({ to }) => to === undefined).map(({ kind, where, from }) => `${kind} ${where} ${from}`),
      ...(row?.unread ?? []).map(({ where, because }) => `${where} ${because}`),
    ]
    expect([row?.outcome, row?.reason, told, changes]).toEqual(['refused', 'lossy', [expected], []])
    expect(migrated(text, true).after).toContain('name: ballast')
  })
})

test.each([
  ['of your own', one().replace('oci://r.example/spegel', './charts/spegel'), 'local-chart'],
  ['not installed', one('    installed: false'), 'not-installed'],
  ['inherits', one('    inherit: [{template: base}]'), 'inherits'],
  ['patched', one('    jsonPatches: []'), 'patched'],
  ['an anchor', one('    labels: &labels {a: b}'), 'unusual-text'],
  ['in braces', 'releases: [{name: spegel, chart: r/spegel}]\n', 'unusual-text'],
  ['there already', `${one()}  - {name: trim, chart: oci://r.example/ballast}\n`, 'ballast-there'],
])('left alone: %s', (_, text, reason) => {
  const { rows, changes } = migrated(text)
  expect([rows.map(row => row.reason), changes]).toEqual([[reason], []])
})

test('two that disagree, that others stand between, or that have a condition each', () => {
  const second = (...lines: readonly string[]) =>
    [one(), '  - name: reloader', '    chart: stakater/reloader', ...lines, ''].join('\n')
  const reasons = (text: string) => migrated(text).rows.map(({ outcome, reason }) => reason ?? outcome)
  expect(reasons(second())).toEqual(['swapped', 'joined'])
  expect(reasons(second('    condition: reloader.enabled'))).toEqual(['swapped', 'condition'])
  const between =
    '    needs: [cert-manager]\n  - name: cert-manager\n    chart: jetstack/cert-manager\n    needs: [kube-system/spegel]'
  expect(reasons(second(between))).toEqual(['swapped', 'needs-cycle'])
  const all = (is: boolean) => `    values:\n      - {reloader: {autoReloadAll: ${is}}}`
  const twice = `${second(all(true))}  - name: other\n    chart: stakater/reloader\n${all(false)}\n`
  expect(reasons(twice)).toEqual(['swapped', 'joined', 'disagree'])
})

test('a template outside of quotes is none of YAML', () => {
  expect(readHelmfile('helmfile.yaml', 'releases:\n  - name: a\n    version: {{ env "V" }}\n')).toEqual({
    line: 3,
    column: 14,
    because: 'a template outside of quotes: what it says is known to helmfile alone',
  })
  expect(readHelmfile('helmfile.yaml', 'releases:\n- a: [b\n')).toMatchObject({
    because: expect.stringContaining('it is no YAML'),
  })
  expect(readHelmfile('helmfile.yaml', '# {{ x }}\nreleases: []\n')).toMatchObject({ releases: [] })
})
