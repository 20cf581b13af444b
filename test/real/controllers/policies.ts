// ValidatingAdmissionPolicies: what the types of the kinds that they match say of their expressions.
import type { Loose, Scenario, ScenarioRun } from './scenario.ts'

const kinds = ['ValidatingAdmissionPolicy'] as const
/** What is new is looked for in discovery twice a minute. */
const longestDiscoveryMs = 35_000

interface PolicyShape extends Loose {
  /** `apps/v1/deployments,statefulsets`, a rule each. */
  readonly match: readonly string[]
  /** Each a validation of its own. */
  readonly expressions: readonly string[]
}

async function policy(run: ScenarioRun, name: string, { match, expressions, ...more }: PolicyShape): Promise<void> {
  await run.create('ValidatingAdmissionPolicy', {
    metadata: { name: `${run.namespace}-${name}` },
    spec: specOf(match, expressions, more),
  })
}

function specOf(match: readonly string[], expressions: readonly string[], more: Loose = {}): Loose {
  return {
    matchConstraints: { resourceRules: match.map(ruleOf) },
    validations: expressions.map(expression => ({ expression })),
    ...more,
  }
}

function ruleOf(text: string): Loose {
  const [groups = '', versions = '', ...resources] = text.split('/')
  return {
    apiGroups: groups.split(','),
    apiVersions: versions.split(','),
    resources: resources.join('/').split(','),
    operations: ['CREATE', 'UPDATE'],
  }
}

const deployments = ['apps/v1/deployments']
const pods = ['/v1/pods']

export const policyScenarios: readonly Scenario[] = [
  {
    name: 'policy-types',
    kinds,
    async play(run) {
      await run.step('right ones', async () => {
        await policy(run, 'right', {
          match: deployments,
          expressions: ['object.spec.replicas <= 5', 'has(object.metadata.labels)'],
        })
        await policy(run, 'old', {
          match: deployments,
          expressions: ['oldObject == null || object.spec.replicas >= oldObject.spec.replicas'],
        })
        await policy(run, 'surroundings', {
          match: deployments,
          expressions: [
            'request.userInfo.groups.exists(g, g == "a") && namespaceObject.metadata.name != "b"',
            'authorizer.group("").resource("pods").check("get").allowed()',
            'authorizer.requestResource.check("get").allowed()',
          ],
        })
      })
      await run.step('wrong fields', async () => {
        await policy(run, 'field', {
          match: deployments,
          expressions: [
            'object.spec.replica <= 5',
            'has(object.spec.foo)',
            'object.?spec.?foo.orValue(1) == 2',
            'object.spec.template.spec.containers.all(c,\n  c.imag.startsWith("x"))',
            'object.metadata.labels.app == "a" && object.status.nothing',
          ],
        })
      })
      await run.step('wrong types', async () => {
        await policy(run, 'type', {
          match: deployments,
          expressions: [
            'object.spec.replicas == "5"',
            'object.spec == "x"',
            'object == 1',
            'object.spec.template.spec.containers.all(c, c == "a")',
            'object.metadata.labels.app == 1',
            'object.metadata.labels == 1',
            'object.metadata.creationTimestamp == "2020"',
            'object.metadata.managedFields[0].fieldsV1 == 1',
            'object.spec.replicas.all(r, r)',
            'object.spec.paused && object.spec.replicas',
          ],
        })
        await policy(run, 'amounts', {
          match: pods,
          expressions: [
            'object.spec.containers[0].resources.limits["cpu"] == "1"',
            'object.spec.containers[0].livenessProbe.httpGet.port == 1',
            'object.spec.containers[0].livenessProbe.httpGet.port.foo == 1',
            'object.spec.overhead.cpu == 1',
          ],
        })
        await policy(run, 'secrets', { match: ['/v1/secrets'], expressions: ['object.data.all(k, object.data[k] == "x")'] })
      })
      await run.step('other parts', async () => {
        await policy(run, 'message', {
          match: deployments,
          expressions: [],
          validations: [
            { expression: 'object.spec.replica == 1', messageExpression: '"it is " + object.spec.replicas' },
            { expression: 'true', messageExpression: '"it is " + string(object.spec.replicas)' },
          ],
        })
        await policy(run, 'audit', {
          match: deployments,
          expressions: ['true'],
          auditAnnotations: [{ key: 'a', valueExpression: 'string(object.nowhere)' }],
          matchConditions: [{ name: 'c', expression: 'object.nowhere == 1' }],
        })
      })
      const right = `${run.namespace}-right`
      await run.step('made wrong', () =>
        run.patch('ValidatingAdmissionPolicy', right, { spec: specOf(deployments, ['object.spec.replica > 1']) }),
      )
      await run.step('labelled', () => run.patch('ValidatingAdmissionPolicy', right, { metadata: { labels: { a: 'b' } } }))
      await run.step('made right', () =>
        run.patch('ValidatingAdmissionPolicy', right, { spec: specOf(deployments, ['object.spec.replicas > 1']) }),
      )
    },
  },
  {
    name: 'policy-kinds',
    kinds,
    async play(run) {
      await run.step('several kinds', async () => {
        await policy(run, 'several', {
          match: ['apps/v1/statefulsets,deployments,daemonsets', '/v1/pods'],
          expressions: ['object.spec.replicas > 1', 'object.nowhere == 1'],
        })
        await policy(run, 'many', {
          match: [
            '/v1/configmaps,secrets,services,endpoints,serviceaccounts,limitranges',
            '/v1/pods,nodes,namespaces,events,podtemplates,persistentvolumes',
            'apps/v1/deployments,statefulsets,daemonsets,replicasets',
          ],
          expressions: ['object.nowhere == 1'],
        })
        await policy(run, 'crowded', {
          match: [
            '/v1/configmaps,secrets,services,endpoints,serviceaccounts,limitranges,pods,nodes,namespaces,podtemplates,persistentvolumes,resourcequotas',
          ],
          expressions: ['object.nowhere == 1'],
        })
      })
      await run.step('odd rules', async () => {
        const expressions = ['object.nowhere == 1']
        await policy(run, 'all-groups', { match: ['*/v1/deployments'], expressions })
        await policy(run, 'all-versions', { match: ['apps/*/deployments'], expressions })
        await policy(run, 'all-resources', { match: ['apps/v1/*'], expressions })
        await policy(run, 'subresource', { match: ['apps/v1/deployments/scale,statefulsets'], expressions })
        await policy(run, 'singular', { match: ['apps/v1/deployment'], expressions })
        await policy(run, 'prefix', { match: ['app/v1/deployments'], expressions })
        await policy(run, 'groupless', { match: ['/v1/deployments'], expressions })
        await policy(run, 'events', { match: ['/v1/events'], expressions })
        await policy(run, 'versions', {
          match: ['autoscaling/v1,v2/horizontalpodautoscalers'],
          expressions: ['object.spec.metrics[0].nowhere == 1'],
        })
        await policy(run, 'absent', { match: ['nowhere.example.com/v1/things'], expressions })
        await policy(run, 'deep', {
          match: ['apiextensions.k8s.io/v1/customresourcedefinitions'],
          expressions: [
            'object.spec.versions[0].schema.openAPIV3Schema.properties["a"].properties["b"].type == "x"',
            'object.spec.versions[0].schema.openAPIV3Schema.typ == "x"',
            'object.spec.versions[0].schema.openAPIV3Schema.default == 1',
          ],
        })
      })
    },
  },
  {
    name: 'policy-variables',
    kinds,
    async play(run) {
      await run.step('variables', async () => {
        await policy(run, 'variables', {
          match: deployments,
          variables: [
            { name: 'replicas', expression: 'object.spec.replicas' },
            { name: 'twice', expression: 'variables.replicas * 2' },
            { name: 'containers', expression: 'object.spec.template.spec.containers' },
            { name: 'names', expression: 'variables.containers.map(c, c.name)' },
            { name: 'labels', expression: 'object.metadata.labels' },
            { name: 'spec', expression: 'object.spec' },
            { name: 'wrong', expression: 'object.spec.replica' },
          ],
          expressions: [
            'variables.twice == object.metadata.name',
            'variables.names.exists(n, n == 1)',
            'variables.labels.app == 1',
            'variables.spec == 1',
            'variables.spec.nowhere == 1',
            'variables.containers.all(c, c.imag == 1)',
            'variables.wrong == 1',
            'variables.labels == 1 || variables.containers == 1',
          ],
        })
      })
      await run.step('params', async () => {
        const paramKind = { apiVersion: 'v1', kind: 'ConfigMap' }
        await policy(run, 'params', {
          match: deployments,
          paramKind,
          expressions: [
            'params.data.limit == "1"',
            'params.dat.limit == "1"',
            'params.data.limit == object.spec.replicas',
            'params == 1',
          ],
        })
        await policy(run, 'params-absent', {
          match: deployments,
          paramKind: { apiVersion: 'nowhere.example.com/v1', kind: 'Thing' },
          expressions: ['params.spec.limit == object.spec.replica', 'params.spec == 1'],
        })
      })
    },
  },
  {
    name: 'policy-custom',
    kinds,
    async play(run) {
      const group = 'policies.example.com'
      const spec = {
        type: 'object',
        required: ['size'],
        properties: {
          size: { type: 'integer' },
          ratio: { type: 'number' },
          tags: { type: 'array', items: { type: 'string' } },
          port: { 'x-kubernetes-int-or-string': true },
          free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          namespace: { type: 'string' },
          'with-dash': { type: 'string' },
          rules: {
            type: 'array',
            items: { type: 'object', properties: { path: { type: 'string' }, secret: { type: 'string', format: 'byte' } } },
          },
          limits: { type: 'object', additionalProperties: { type: 'integer' } },
          until: { type: 'string', format: 'date-time' },
          template: {
            type: 'object',
            'x-kubernetes-embedded-resource': true,
            'x-kubernetes-preserve-unknown-fields': true,
          },
        },
      }
      await run.want('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: `gauges.${group}` },
        spec: {
          group,
          scope: 'Namespaced',
          names: { plural: 'gauges', kind: 'Gauge' },
          versions: [
            { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec } } } },
          ],
        },
      })
      // What is published of a definition comes a while after it.
      await run.wait(longestDiscoveryMs)
      await run.step('policies', async () => {
        const match = [`${group}/v1/gauges`]
        await policy(run, 'right', {
          match,
          expressions: [
            'object.spec.size < 3 && object.spec.ratio < 1.5 && object.spec.port == 1 && object.spec.port == "http"',
            'object.spec.__namespace__ == "a" && object.spec.with__dash__dash == "b"',
            'object.spec.template.metadata.name == "x" && object.spec.until < timestamp("2030-01-01T00:00:00Z")',
            'object.metadata.name == "x" && object.kind == "Gauge"',
          ],
        })
        await policy(run, 'wrong', {
          match,
          expressions: [
            'object.spec.free.anything == 1',
            'object.spec.tags == 3',
            'object.spec.rules.all(r, r.path == 1)',
            'object.spec.rules.all(r, r.secret == "x")',
            'object.spec.rules == 1',
            'object.spec.limits.all(k, object.spec.limits[k] == "1")',
            'object.spec.limits == 1',
            'object.status.phase == "x"',
            'object.spec.template.spec.x == 1',
            'object.spec.template.metadata.labels.a == 1',
            'object.spec.until == 1',
            'object.metadata.nowhere == 1',
            'object.spec.size == 1.5',
          ],
        })
        await policy(run, 'params', {
          match: deployments,
          paramKind: { apiVersion: `${group}/v1`, kind: 'Gauge' },
          expressions: ['params.spec.size == object.spec.replicas', 'params.spec.tags == object.spec.replicas', 'params.sp == 1'],
        })
      })
    },
  },
]
