// Objects within objects, and applied objects of another identity.
import type { BadInputCase } from './case.ts'
import { widgetDefinition } from './definition-cases.ts'
import { casesOf, configMap, groupIn, patchTypes, sent } from './requests.ts'

const namespace = 'embedded'
const group = 'embedded.example.com'
const whole = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }
const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        one: whole,
        many: { type: 'array', items: whole },
        named: { type: 'object', additionalProperties: whole },
        closed: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          properties: { spec: { type: 'object', properties: { a: { type: 'string' } } } },
        },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
  },
}
const setUp = sent('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgetDefinition(group, schema))
const widgets = `/apis/${group}/v1/namespaces/${namespace}/widgets`

const objects: Readonly<Record<string, string>> = {
  'a whole one': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"a":"b"}},"spec":{"x":1}}}',
  'no version': '{"one":{"kind":"Pod"}}',
  'no kind': '{"one":{"apiVersion":"v1"}}',
  nothing: '{"one":{}}',
  'an empty version': '{"one":{"apiVersion":"","kind":"Pod"}}',
  'a version of many parts': '{"one":{"apiVersion":"a/b/c","kind":"Pod"}}',
  'a version that is a number': '{"one":{"apiVersion":1,"kind":"Pod"}}',
  'a version that is null': '{"one":{"apiVersion":null,"kind":"Pod"}}',
  'an empty kind': '{"one":{"apiVersion":"v1","kind":""}}',
  'a kind of bad letters': '{"one":{"apiVersion":"v1","kind":"My Pod"}}',
  'a kind that is a list': '{"one":{"apiVersion":"v1","kind":[]}}',
  'metadata of text': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":"x"}}',
  'metadata null': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":null}}',
  'a name of bad letters': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a/b"}}}',
  'a name in upper case': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"A B"}}}',
  'a namespace of bad letters': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"A"}}}',
  'a label of bad letters': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"a b":"c d"}}}}',
  'a label of a number': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"a":1}}}}',
  'an annotation of bad letters': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"a b":"c"}}}}',
  'an unknown field of metadata': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"thing":1}}}',
  'a generateName of bad letters': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"a/b"}}}',
  'a finalizer without a domain': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"finalizers":["thing"]}}}',
  'an owner without a uid': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"ownerReferences":[{"kind":"A"}]}}}',
  'a creation of null': '{"one":{"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":null,"name":"a"}}}',
  'a text': '{"one":"x"}',
  'in a list': '{"many":[{"apiVersion":"v1","kind":"Pod"},{"kind":""}]}',
  'in a map': '{"named":{"a.b":{"apiVersion":"v1"}}}',
  'unknown fields of a closed one':
    '{"closed":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"a":"b","c":1},"other":2}}',
  'within a free one': '{"free":{"one":{"kind":""}}}',
}

const applied = (name: string, metadata: object, query = ''): BadInputCase['request'] =>
  sent(
    'PATCH',
    `/api/v1/namespaces/${namespace}/configmaps/${name}?fieldManager=a${query}`,
    { ...configMap(name, { data: { a: 'b' } }), metadata: { name, ...metadata } },
    patchTypes.apply,
  )

const uid = '00000000-0000-0000-0000-000000000001'

export const embeddedGroup = groupIn(namespace, {
  setUp: [setUp, sent('POST', `/api/v1/namespaces/${namespace}/configmaps`, configMap('there', { data: { a: 'a' } }))],
  cases: [
    ...casesOf(objects, (text, name) =>
      sent(
        'POST',
        widgets,
        `{"apiVersion":"${group}/v1","kind":"Widget","metadata":{"name":"e${Object.keys(objects).indexOf(name)}"},"spec":${text}}`,
      ),
    ),
    { name: 'apply with a wrong uid', request: applied('there', { uid }) },
    { name: 'apply with a wrong uid, forced', request: applied('there', { uid }, '&force=true') },
    {
      name: 'apply with a wrong uid and version, forced',
      request: applied('there', { uid, resourceVersion: '1' }, '&force=true'),
    },
    { name: 'apply with a uid of garbage, forced', request: applied('there', { uid: 'x' }, '&force=true') },
    { name: 'apply with a uid to nothing', request: applied('nothing', { uid }) },
    {
      name: 'update with a wrong uid',
      request: sent('PUT', `/api/v1/namespaces/${namespace}/configmaps/there`, {
        ...configMap('there'),
        metadata: { name: 'there', uid },
      }),
    },
    {
      name: 'merge with a wrong uid',
      request: sent('PATCH', `/api/v1/namespaces/${namespace}/configmaps/there`, { metadata: { uid } }, patchTypes.merge),
    },
  ],
})
