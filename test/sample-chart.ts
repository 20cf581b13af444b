// A chart with one of every hole, apart from our own: Helm has rendered it, and what it made is recorded.
import { createHash } from 'node:crypto'
import { definitions, type Values } from '../src/deployment/names.ts'
import { labelsOf, metadataOf, nameText } from '../src/deployment/objects/object-shapes.ts'
import { templateOf } from '../src/deployment/packaging/template.ts'
import {
  all,
  any,
  block,
  checksum,
  document,
  each,
  item,
  lines,
  named,
  not,
  type ObjectTree,
  shared,
  templatedText,
  text,
  value,
  when,
} from '../src/deployment/tree.ts'

const rules = [
  when({ on: 'first' }, { verb: 'get' }, { verb: 'list' }),
  when(all({ has: 'words', value: 'b' }, not({ on: 'first' })), { verb: 'watch' }),
  { verb: [when(any({ on: 'first' }, { is: 'mode', value: 'fast' }), 'one'), 'two'] },
]

export const sampleTrees: readonly ObjectTree[] = [
  {
    file: 'scalars.yaml',
    tree: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: metadataOf({ name: text(named('fullname'), '-scalars'), component: 'sample' }),
      constants: {
        plain: 'word',
        number: 1,
        yes: true,
        quoted: 'y',
        time: '12:30',
        template: '{{ $labels.x }}',
        text: 'two\nlines {{x}}\n',
      },
      values: { a: value('count'), b: value('share'), c: value('mode'), d: value('odd'), e: value('flag') },
      image: nameText('image'),
      account: nameText('serviceAccount'),
      templated: templatedText('place'),
      checksum: checksum('map'),
      joined: text('all=', { joined: 'words' }),
      directory: text({ directory: 'path' }),
      same: when({ same: ['agentNamespace', 'namespace'] }, 'one'),
      apart: when(not({ same: ['agentNamespace', 'namespace'] }), text(named('agentNamespace'))),
      accounts: text(named('agentAccount'), ' ', named('mirrorAccount')),
      data: {
        'file.yaml': lines([
          { text: 'first: line' },
          { text: 'map: ', value: 'map' },
          { text: 'odd: ', value: 'odd', when: { on: 'first' } },
          { text: 'maybe: ', value: 'maybe', when: { present: 'maybe' } },
          { text: 'last: line' },
        ]),
        'document.json': document('document'),
      },
      says: when({ says: 'document', value: 'needle' }, 'yes'),
      saysNot: when(not({ says: 'document.none', value: 'true' }), 'no'),
    },
  },
  {
    file: 'trees.yaml',
    when: any({ on: 'first' }, not({ namespace: 'elsewhere' })),
    tree: {
      apiVersion: 'v1',
      kind: 'List',
      metadata: { name: 'trees', labels: labelsOf('trees', { own: 'label' }) },
      map: block('map'),
      list: block('list'),
      emptyMap: block('emptyMap'),
      templated: block('texts', true),
      spread: { own: 'one', '...more': block('map'), '...maybe': when({ on: 'first' }, { seldom: 'here' }) },
      items: [{ own: 1 }, block('list'), each('words', { word: text('the ', item) })],
      rules: [shared('rules', rules)],
      maybe: when({ present: 'maybe' }, value('maybe')),
    },
  },
  {
    file: 'each.yaml',
    each: 'words',
    tree: { apiVersion: 'v1', kind: 'Word', metadata: { name: text('word-', item) }, rules: [shared('rules', rules)] },
  },
  {
    file: 'each.yaml',
    each: 'list',
    when: { served: 'example.com/v1' },
    tree: { apiVersion: 'v1', kind: 'Member', metadata: { name: text({ item: 'name' }) } },
  },
]

const base = {
  first: true,
  count: 3,
  share: 0.25,
  mode: 'fast',
  odd: 'a <b> & "c": \u2028 é',
  flag: false,
  place: 'in {{ .Release.Namespace }}',
  words: ['a', 'b'],
  map: { z: 1, a: { nested: ['x', { y: 'no' }], empty: {}, none: [] }, '1e3': 'off', 'with space': '08' },
  list: [
    { name: 'n1', size: '1Gi' },
    { name: 'n2', deep: [1, 2.5, true] },
  ],
  emptyMap: {},
  document: {
    z: ['needle', '{{ .Release.Name }}', '<&> \u2028 é', '08', 'y'],
    a: { empty: {}, none: [], nested: [{ b: 1_000_000, a: 0.25, no: false }], 'with space': null },
  },
  texts: { a: '{{ .Release.Name }}', b: 'plain' },
  image: { registry: 'r.example', repository: 'x/y', tag: '', digest: '' },
  global: { imageRegistry: '' },
  controller: { serviceAccount: { name: '' } },
  agent: { namespace: '', serviceAccount: { name: '' } },
  mirror: { serviceAccount: { name: '' } },
  path: '/run/containerd/containerd.sock',
  nameOverride: '',
  fullnameOverride: '',
  namespaceOverride: '',
  commonLabels: {},
  commonAnnotations: {},
}

/** Values by name of the case. */
export const sampleCases: Readonly<Record<string, Values>> = {
  plain: base,
  off: { ...base, document: { list: [] }, first: false, mode: 'slow', words: ['b'], list: [], map: {}, odd: '', maybe: 0 },
  named: {
    ...base,
    nameOverride: 'other',
    fullnameOverride: 'a-name-that-is-longer-than-names-of-objects-can-be-',
    namespaceOverride: 'elsewhere',
    first: false,
    commonLabels: { team: 'yes', n: '1' },
    commonAnnotations: { note: 'null' },
    global: { imageRegistry: 'mirror.example:5000' },
    image: { registry: 'r.example', repository: 'x/y', tag: 'v2', digest: `sha256:${'a'.repeat(64)}` },
    controller: { serviceAccount: { name: 'mine' } },
    agent: { namespace: 'elsewhere', serviceAccount: { name: 'ours' } },
    path: '/a.sock',
    count: 1_000_000,
    share: 1e-7,
    maybe: 'no',
  },
  long: {
    ...base,
    odd: `${'a word and '.repeat(20)}\nanother line\n`,
    map: {
      text: `${'long '.repeat(40)}\n\n  indented\n`,
      tab: 'a\tb',
      date: '2026-01-01',
      hex: '0x1f',
      colon: 'a: b',
      hash: 'a #b',
      dash: '- a',
    },
    texts: { both: '{{ .Release.Name }}/{{ .Release.Namespace }}' },
  },
}

export const sampleRelease = { name: 'rel', namespace: 'space', version: '1.2.3', served: ['example.com/v1'] } as const

/** The chart's files, and what they are known by: what is recorded is of these, and no others. */
export function sampleChart(): { readonly files: ReadonlyMap<string, string>; readonly digest: string } {
  const sharedTexts = new Map<string, string>()
  const names = [...new Set(sampleTrees.map(({ file }) => file))]
  const templates = names.map(
    name =>
      [
        `templates/${name}`,
        templateOf(
          sampleTrees.filter(({ file }) => file === name),
          sharedTexts,
        ),
      ] as const,
  )
  const { version } = sampleRelease
  const accounts = ['serviceAccount', 'apiserverAccount', 'agentAccount', 'mirrorAccount', 'deschedulerAccount'] as const
  const files = new Map([
    ['Chart.yaml', `apiVersion: v2\nname: ballast\nversion: ${version}\nappVersion: ${version}\n`],
    ['values.yaml', '{}\n'],
    ['templates/_helpers.tpl', definitions(accounts)],
    ...[...sharedTexts].map(
      ([name, body]) => [`templates/_${name}.tpl`, `{{- define "ballast.${name}" -}}\n${body}{{- end -}}\n`] as const,
    ),
    ...templates,
  ])
  return {
    files,
    digest: createHash('sha256')
      .update(JSON.stringify([...files]))
      .digest('hex'),
  }
}
