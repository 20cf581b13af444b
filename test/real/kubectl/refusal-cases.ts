// What the server refuses, in its words.
import { type CommandCase, refused, step } from './command-case.ts'
import { configMapManifest, deploymentManifest } from './manifests.ts'

const json = (value: unknown) => ({ input: JSON.stringify(value) })
const pod = (spec: unknown) => json({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default' }, spec })

const refusals: readonly CommandCase[] = [
  {
    name: 'not found',
    steps: [
      refused('get pod none', 'Error from server (NotFound): pods "none" not found'),
      refused('get deployment none -n media', 'Error from server (NotFound): deployments.apps "none" not found'),
      step('get pods -n none', '', { err: 'No resources found in none namespace.' }),
      refused('create configmap a -n none', 'error: failed to create configmap: namespaces "none" not found'),
      refused('describe pod none', 'Error from server (NotFound): pods "none" not found'),
    ],
  },
  {
    name: 'invalid',
    steps: [
      refused('create deployment Bad_ --image=x', [
        'error: failed to create deployment: Deployment.apps "Bad_" is invalid: [metadata.name: Invalid value: "Bad_": a lowercase RFC 1123 subdomain must consist of',
        'spec.selector: Invalid value: {"matchLabels":{"app":"Bad_"}}: invalid label selector]',
      ]),
      refused('apply -f -', 'The Pod "p" is invalid: spec.containers: Required value', pod({})),
      refused(
        'apply -f -',
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.none"',
        pod({ none: 1, containers: [] }),
      ),
      refused(
        'apply -f -',
        `Error from server (BadRequest): error when creating "STDIN": Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
        pod({ containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: 'abc' } } }] }),
      ),
      refused(
        'apply -f -',
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        pod({ containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] }),
      ),
      refused(
        'apply -f -',
        'no matches for kind "None" in version "v1"',
        json({ apiVersion: 'v1', kind: 'None', metadata: { name: 'n' } }),
      ),
      refused('apply -f -', 'error validating data: [apiVersion not set, kind not set]', { input: 'a: b' }),
      step('create -f - --validate=warn', 'configmap/warned created', {
        input: `${configMapManifest('warned', {})}none: 1\n`,
        err: 'Warning: unknown field "none"',
      }),
      step('apply -f -', 'deployment.apps/web created', { input: deploymentManifest() }),
      refused(
        'patch deployment web -p {"spec":{"selector":{"matchLabels":{"app":"other"}}}}',
        'spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable',
      ),
      refused('get pods --field-selector spec.none=1', 'field label not supported: spec.none'),
      refused(['get', 'pods', '-l', 'a in ('], 'unable to parse requirement'),
    ],
  },
  {
    name: 'exists, conflicts',
    steps: [
      refused('create namespace media', 'Error from server (AlreadyExists): namespaces "media" already exists'),
      refused(
        'create -f -',
        'Error from server (AlreadyExists): error when creating "STDIN": deployments.apps "web" already exists',
        { input: deploymentManifest() },
      ),
      refused(
        'replace -f -',
        'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
        { input: deploymentManifest().replace('  namespace: default\n', '  namespace: default\n  resourceVersion: "1"\n') },
      ),
    ],
  },
  {
    name: 'forbidden as another user',
    steps: [
      refused(
        'get pods -n media --as=alice',
        'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "media"',
      ),
      refused(
        'get nodes --as=alice',
        'Error from server (Forbidden): nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
      ),
      refused(
        'delete deployment web --as=alice',
        'Error from server (Forbidden): deployments.apps "web" is forbidden: User "alice" cannot delete resource "deployments" in API group "apps" in the namespace "default"',
      ),
      refused(
        'get --raw /metrics --as=alice',
        'Error from server (Forbidden): forbidden: User "alice" cannot get path "/metrics"',
      ),
      step(
        'create rolebinding alice --clusterrole=view --user=alice -n media',
        'rolebinding.rbac.authorization.k8s.io/alice created',
      ),
      step('get pods -n media --as=alice -o name', /^pod\/immich-ml-/),
      refused('get secrets -n media --as=alice', 'cannot list resource "secrets"'),
      step('create role small -n media --verb=get --resource=pods', 'role.rbac.authorization.k8s.io/small created'),
      step('create rolebinding bob -n media --clusterrole=edit --user=bob', 'rolebinding.rbac.authorization.k8s.io/bob created'),
      refused(
        'create role big -n media --verb=* --resource=pods --as=bob',
        'Error from server (Forbidden): roles.rbac.authorization.k8s.io is forbidden: User "bob" cannot create resource "roles"',
      ),
    ],
  },
]

export const refusalCases = { refusals }
