import { describe, expect, test } from 'vitest'
import { readDocuments } from './documents.ts'

const names = (text: string) =>
  readDocuments('f.yaml', text).objects.map(({ object }) => `${object.kind} ${object.metadata?.name}`)

describe('objects of a file', () => {
  // biome-ignore format: a table
  test.each<[string, string, readonly string[]]>([
    ['one document', 'kind: Node\nmetadata: {name: a}', ['Node a']],
    ['several, some empty', '---\n---\nkind: Node\nmetadata: {name: a}\n---\n# nothing\n---\nkind: Pod\nmetadata: {name: b}\n', ['Node a', 'Pod b']],
    ['JSON', '{"kind":"Node","metadata":{"name":"a"}}', ['Node a']],
    ['a flow map that is no JSON', '{kind: Node, metadata: {name: a}}', ['Node a']],
    ['answers in JSON one after the other', '{\n  "kind": "PodList",\n  "items": [{"metadata":{"name":"a"}, "kind": "Pod"}]\n}\n{\n  "kind": "Node", "metadata": {"name":"b"}\n}\n', ['Pod a', 'Node b']],
    ['an object of JSON a line', '{"kind":"Node","metadata":{"name":"a"}}\n{"kind":"Node","metadata":{"name":"b"}}\n', ['Node a', 'Node b']],
    ['answers in YAML without a separator', 'apiVersion: v1\nkind: Node\nmetadata: {name: a}\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n', ['Node a', 'Pod b']],
    ['Windows line ends', 'apiVersion: v1\r\nkind: Node\r\nmetadata: {name: a}\r\napiVersion: v1\r\nkind: Node\r\nmetadata: {name: b}\r\n---\r\napiVersion: v1\r\nkind: Node\r\nmetadata: {name: c}\r\n', ['Node a', 'Node b', 'Node c']],
    ['a text that looks like another answer', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    apiVersion: v1\n    ---\n', ['ConfigMap a']],
    ['a List', 'kind: List\napiVersion: v1\nitems: [{kind: Pod, metadata: {name: a}}, {kind: Node, metadata: {name: b}}]', ['Pod a', 'Node b']],
    ['a list of one kind, whose items do not say it', '{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}', ['Pod a']],
    ['a list without items', '{"kind":"PodList","apiVersion":"v1","items":null}', []],
    ['an array', '[{"kind":"Pod","metadata":{"name":"a"}}]', ['Pod a']],
    ['nothing', '', []],
    ['a kind that only ends like a list', 'kind: WhiteList\nmetadata: {name: a}', ['WhiteList a']],
    ['anchors and merges', 'kind: Pod\nbase: &b {name: a}\nmetadata: {<<: *b}', ['Pod a']],
  ])('%s', (_, text, expected) => {
    expect(names(text)).toEqual(expected)
    expect(readDocuments('f.yaml', text).problems).toEqual([])
  })

  test('the items of a list get its version, and each its place', () => {
    const { objects } = readDocuments(
      'pods.json',
      '{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}',
    )
    expect(objects.map(({ object, where }) => [object.apiVersion, where])).toEqual([
      ['v1', 'pods.json: document 1: items[0]'],
      ['v1', 'pods.json: document 1: items[1]'],
    ])
  })

  test('texts that YAML 1.1 takes for truth values stay texts', () => {
    expect(
      readDocuments('f', 'kind: Pod\nmetadata: {labels: {a: yes, b: 010, c: 1:30}}').objects[0]?.object.metadata.labels,
    ).toEqual({ a: 'yes', b: 10, c: '1:30' })
  })

  test('a label called __proto__ is a label', () => {
    const { objects } = readDocuments('f', 'kind: Pod\nmetadata: {labels: {__proto__: x}}')
    expect(Object.hasOwn(objects[0]?.object.metadata.labels ?? {}, '__proto__')).toBe(true)
  })
})

describe('documents that cannot be read', () => {
  // biome-ignore format: a table
  test.each<[string, string, string, string]>([
    ['a broken one', 'kind: Pod\nmetadata: {name: good}\n---\nkind: Pod\n  metadata: x\n', 'yaml-syntax', 'f.yaml: document 2: line 4 column 7'],
    ['one after answers without a separator', 'apiVersion: v1\nkind: Pod\napiVersion: v1\nkind: Pod\napiVersion: v1\nkind: Pod\nkind: Node\n', 'yaml-syntax', 'f.yaml: document 3: line 7 column 1'],
    ['JSON that breaks off', '{\n  "kind": "Pod"\n}\n{\n  "kind":\n', 'yaml-syntax', 'f.yaml: document 1: line 4 column 1'],
    ['a key twice', 'kind: Pod\nkind: Node\n', 'yaml-syntax', 'f.yaml: document 1: line 2 column 1'],
    ['a bare text', 'hello', 'document-shape', 'f.yaml: document 1'],
    ['an alias of nothing', 'kind: *nothing', 'yaml-alias', 'f.yaml: document 1'],
    ['a merge of what is no map', 'kind: Node\n<<: text', 'yaml-alias', 'f.yaml: document 1'],
    ['an alias within what it stands for', 'kind: Node\nmetadata: {name: a}\n---\nmetadata: &m {name: x, annotations: *m}\n---\nkind: Node\nmetadata: {name: b}', 'object-too-deep', 'f.yaml: document 2'],
    ['a list within itself', '&a [*a]', 'list-too-deep', 'f.yaml: document 1[0][0][0][0]'],
    ['items that hold themselves', 'kind: List\nitems: &i [*i]', 'list-too-deep', 'f.yaml: document 1: items[0][0][0][0]'],
    ['a pod of an export without end', `{"nodes":[],"pods":[{"metadata":{"name":"a"},"x":${'['.repeat(300)}${']'.repeat(300)}}]}`, 'object-too-deep', 'f.yaml: document 1: pods[0]'],
    ['lists of JSON without end', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, 'list-too-deep', 'f.yaml: document 1[0][0][0][0]'],
    ['an object of JSON without end', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 'object-too-deep', 'f.yaml: document 1'],
    ['documents without end', '---\n'.repeat(100_002), 'file-too-large', 'f.yaml'],
    ['more YAML than memory holds', `a: ${'x'.repeat(1023)}\n`.repeat(33 * 1024), 'file-too-large', 'f.yaml'],
    ['lists within lists', '[[[[{"kind":"PodList","items":[]}]]]]', 'list-too-deep', 'f.yaml: document 1[0][0][0][0]'],
  ])('%s', (_, text, code, where) => {
    expect(readDocuments('f.yaml', text).problems.map(problem => [problem.code, problem.where])).toEqual([[code, where]])
  })

  test('the others are read all the same', () => {
    expect(names('kind: Pod\nmetadata: {name: a}\n---\n: : :\n  -\n---\nkind: Pod\nmetadata: {name: b}')).toEqual([
      'Pod a',
      'Pod b',
    ])
  })

  test('aliases that multiply end', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${`*${'abcdefgh'[index]},`.repeat(9).slice(0, -1)}]`),
    ].join('\n')
    expect(readDocuments('f', bomb).problems.map(({ code }) => code)).toEqual(['yaml-alias'])
  })
})
