import fc from 'fast-check'
import { expect, test } from 'vitest'
import { madeBy } from './resource-sets.ts'

const set = (spec: unknown) => ({
  apiVersion: 'fluxcd.controlplane.io/v1',
  kind: 'ResourceSet',
  metadata: { name: 's', namespace: 'flux-system' },
  spec,
})

/** A resource whose name and value are given, as both may be templates. */
const configMap = (name: string, value: unknown = '') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { value },
})

/** `name=value`, with a question mark where it is made perhaps. */
const shown = (spec: unknown) =>
  madeBy(set(spec)).objects.map(
    ({ object, isCertain }) =>
      `${object.metadata.name}=${JSON.stringify((object['data'] as { value?: unknown } | undefined)?.value)}${isCertain ? '' : '?'}`,
  )

const filledIn = (name: string) => `\${${name}}`
const two = [{ app: 'a' }, { app: 'b' }]
const name = '<< inputs.app >>'

test.each<readonly [what: string, spec: unknown, expected: readonly string[]]>([
  ['without inputs, once', { resources: [configMap('x', 1)] }, ['x=1']],
  ['once for each input', { inputs: two, resources: [configMap(`${name}-x`, name)] }, ['a-x="a"', 'b-x="b"']],
  ['a shared object once', { inputs: two, resources: [configMap('x'), configMap(name)] }, ['x=""', 'a=""', 'b=""']],
  ['a nested value', { inputs: [{ a: { b: 'c' } }], resources: [configMap('<<inputs.a.b>>')] }, ['c=""']],
  ['marks that cut blanks off', { inputs: two.slice(0, 1), resources: [configMap('<<- inputs.app ->>')] }, ['a=""']],
  [
    'types: whole expressions keep them, quoted ones are texts',
    {
      inputs: [{ app: 'a', n: '2', is: 'true' }],
      resources: [
        configMap('n', '<< inputs.n | int >>'),
        configMap('is', '<< inputs.is | bool >>'),
        configMap('q', '<< inputs.n | quote >>'),
        configMap('part', '<< inputs.n >>Mi'),
      ],
    },
    ['n=2', 'is=true', 'q="2"', 'part="2Mi"'],
  ],
  [
    'an input that is not there stays a variable',
    { inputs: two.slice(0, 1), resources: [configMap('<< inputs.b >>-x')] },
    [`${filledIn('inputs.b')}-x=""`],
  ],
  [
    'a function that changes a text',
    { inputs: [{ app: 'A' }], resources: [configMap('<< inputs.app | lower >>')] },
    [`${filledIn('inputs.app')}=""`],
  ],
  [
    'inputs from elsewhere, beside written ones',
    { inputs: two.slice(0, 1), inputsFrom: [{ name: 'p' }], resources: [configMap(name)] },
    ['a=""', `${filledIn('inputs.app')}=""?`],
  ],
  [
    'permuted inputs, which have other names',
    { inputs: two, inputStrategy: { name: 'Permute' }, resources: [configMap(name)] },
    [`${filledIn('inputs.app')}=""?`],
  ],
  [
    'what is left out, and what a condition leaves out',
    {
      resources: ['disabled', '<< if x >>disabled<< end >>', 'enabled'].map((reconcile, index) => ({
        ...configMap(`x${index}`),
        metadata: { name: `x${index}`, annotations: { 'fluxcd.controlplane.io/reconcile': reconcile } },
      })),
    },
    ['x1=""?', 'x2=""'],
  ],
  [
    'a value behind a condition',
    { resources: [configMap('x', 'a-<< if y >>b<< else >>c<< end >>')] },
    [`x="a-${filledIn('template')}"`],
  ],
  ['resources of steps', { steps: [{ name: 'one', resources: [configMap('x')] }] }, ['x=""']],
  [
    'a template of several documents',
    {
      inputs: two.slice(0, 1),
      resourcesTemplate:
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: << inputs.app >>\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n',
    },
    ['a=undefined', 's=undefined'],
  ],
  [
    'a template with a loop, whose objects are made perhaps',
    {
      inputs: two.slice(0, 1),
      resourcesTemplate:
        '<<- range $x := inputs.list >>\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: << $x.name >>\n<<- end >>\n',
    },
    [`${filledIn('template')}=undefined?`],
  ],
  ['what is no object', { resources: [{ kind: 'ConfigMap' }, 'text', 3] }, []],
])('a ResourceSet makes: %s', (_what, spec, expected) => {
  expect(shown(spec)).toEqual(expected)
})

test.each<readonly [what: string, spec: unknown, kinds: readonly string[]]>([
  ['a template that is YAML', { resourcesTemplate: 'kind: A\n' }, []],
  ['one that is none', { resourcesTemplate: 'kind: HelmRelease\n<< toYaml x >>: [\n' }, ['HelmRelease']],
  ['one whose kind is not known', { resourcesTemplate: 'kind: << inputs.kind >>\n]: [\n' }, ['*']],
  [
    'more objects than are looked into',
    { inputs: Array.from({ length: 5001 }, (_, app) => ({ app })), resources: [configMap(name)] },
    ['ConfigMap'],
  ],
])('kinds that a ResourceSet makes unseen: %s', (_what, spec, kinds) => {
  expect(madeBy(set(spec))).toMatchObject({ unseenKinds: kinds })
})

test.each(['<<:', '<<: text', 'a: *nothing', 'a: {<<: [1]}'])('a template of %j makes nothing, and breaks nothing', written =>
  expect(madeBy(set({ resourcesTemplate: written }))).toMatchObject({ objects: [] }),
)

test('no text of a template breaks the reading or keeps a mark, and what is long is not read', () => {
  const piece = fc.constantFrom('<<', '>>', '-', ' ', 'inputs.app', '|', 'quote', 'if', 'end', '\n', ':', 'kind', '[', '$x', 'a')
  const text = fc.array(piece, { maxLength: 40 }).map(pieces => pieces.join(''))
  fc.assert(
    fc.property(text, written => {
      const made = madeBy(set({ inputs: two, resources: [configMap('x', written)], resourcesTemplate: written })).objects
      expect(made[0]?.object.metadata.name).toBe('x')
      expect(JSON.stringify(made)).not.toMatch(/<<[^\n]*>>/)
    }),
  )
  const long = '<<'.repeat(3_000)
  expect(shown({ resources: [configMap('x', long)] })).toEqual([`x="${filledIn('template')}"`])
})
