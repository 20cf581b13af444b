// apply, diff, replace, patch, label, annotate, delete.
import { type CommandCase, refused, step } from './command-case.ts'
import { configMapManifest, deploymentManifest } from './manifests.ts'

const two = { input: deploymentManifest({ replicas: 2 }) }
const three = { input: deploymentManifest({ replicas: 3 }) }

const apply: readonly CommandCase[] = [
  {
    name: 'create, no change, change',
    steps: [
      step('apply -f -', 'deployment.apps/web created', two),
      step('apply -f -', 'deployment.apps/web unchanged', two),
      step('diff -f -', '', two),
      step('diff -f -', [/^- {2}generation: 1$/m, /^\+ {2}generation: 2$/m, /^- {2}replicas: 2$/m, /^\+ {2}replicas: 3$/m], {
        ...three,
        code: 1,
      }),
      step('get deployment web -o jsonpath={.spec.replicas}', '2'),
      step('apply -f - --dry-run=server', 'deployment.apps/web configured (server dry run)', three),
      step('apply -f -', 'deployment.apps/web configured', three),
      step('get deployment web -o jsonpath={.spec.replicas}', '3'),
      step('apply view-last-applied deployment/web', ['replicas: 3', 'image: nginx:1.27']),
      step('rollout status deployment/web --timeout=40s', /deployment "web" successfully rolled out\n$/),
      step('get deployment web', /^web +3\/3 +3 +3 /m),
    ],
  },
  {
    name: 'what is no longer applied goes away',
    steps: [
      step('apply -f -', 'configmap/shrinks created', { input: configMapManifest('shrinks', { a: '1', b: '2' }) }),
      step('apply -f -', 'configmap/shrinks configured', { input: configMapManifest('shrinks', { a: '1' }) }),
      step('get configmap shrinks -o jsonpath={.data}', '{"a":"1"}'),
    ],
  },
  {
    name: 'several documents and a prune by label',
    steps: [
      step('apply -f -', 'configmap/one created\nconfigmap/two created', {
        input: `${configMapManifest('one', {})}\n---\n${configMapManifest('two', {})}`,
      }),
      step('delete -f -', [/configmap "one" deleted/, /configmap "two" deleted/], {
        input: `${configMapManifest('one', {})}\n---\n${configMapManifest('two', {})}`,
      }),
    ],
  },
  {
    name: 'a custom resource',
    steps: [
      step('apply -f -', 'rebalancepolicy.ballast.dev/mine created', {
        input: JSON.stringify({
          apiVersion: 'ballast.dev/v1alpha1',
          kind: 'RebalancePolicy',
          metadata: { name: 'mine' },
          spec: { mode: 'Report', goals: [{ name: 'light', nodes: ['talos00'], resource: 'cpu', stat: 'requests', max: 70 }] },
        }),
      }),
      step('get rebalancepolicy mine -o jsonpath={.spec.goals[0].max}', '70'),
      refused('apply -f -', ['The RebalancePolicy "wrong" is invalid', 'spec.mode: Unsupported value: "Sometimes"'], {
        input: JSON.stringify({
          apiVersion: 'ballast.dev/v1alpha1',
          kind: 'RebalancePolicy',
          metadata: { name: 'wrong' },
          spec: { mode: 'Sometimes', goals: [{ name: 'light', nodes: ['talos00'], resource: 'cpu', stat: 'requests', max: 70 }] },
        }),
      }),
      step('delete rebalancepolicy mine', /rebalancepolicy\.ballast\.dev "mine" deleted/),
    ],
  },
]

const serverSide: readonly CommandCase[] = [
  {
    name: 'conflicts, and force',
    steps: [
      step('apply --server-side -f -', 'deployment.apps/web serverside-applied', two),
      step('apply --server-side -f -', 'deployment.apps/web serverside-applied', two),
      refused(
        'apply --server-side --field-manager=other -f -',
        [
          'error: Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas\n',
          'command with the `--force-conflicts` flag.',
        ],
        three,
      ),
      step('apply --server-side --field-manager=other --force-conflicts -f -', 'deployment.apps/web serverside-applied', three),
      step('get deployment web -o jsonpath={.spec.replicas}', '3'),
      // Its status changes until its pods are ready, and kubectl reads twice.
      step('rollout status deployment/web', [/successfully rolled out/]),
      step('diff --server-side --field-manager=other -f -', '', three),
      step('diff --server-side --force-conflicts -f -', [/^- {2}replicas: 3$/m, /^\+ {2}replicas: 2$/m], { ...two, code: 1 }),
      step(
        [
          'get',
          'deployment',
          'web',
          '--show-managed-fields',
          '-o',
          'jsonpath={range .metadata.managedFields[?(@.operation=="Apply")]}{.manager} {end}',
        ],
        'kubectl other',
      ),
    ],
  },
  {
    name: 'a scale by another manager conflicts',
    steps: [
      step('scale deployment web --replicas=1', 'deployment.apps/web scaled'),
      refused(
        'apply --server-side --field-manager=other -f -',
        'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
        three,
      ),
    ],
  },
  {
    name: 'from client-side to server-side',
    steps: [
      step('apply -f -', 'configmap/moves created', { input: configMapManifest('moves', { a: '1', b: '2' }) }),
      step('apply --server-side -f -', 'configmap/moves serverside-applied', { input: configMapManifest('moves', { a: '1' }) }),
      step('get configmap moves -o jsonpath={.data}', '{"a":"1"}'),
    ],
  },
]

const replace: readonly CommandCase[] = [
  {
    name: 'replace',
    steps: [
      step('create -f -', 'configmap/plain created', { input: configMapManifest('plain', { a: '1' }) }),
      step('replace -f -', 'configmap/plain replaced', { input: configMapManifest('plain', { a: '2' }) }),
      step('get configmap plain -o jsonpath={.data.a}', '2'),
      step('replace --force -f -', [/^configmap "plain" deleted/, /^configmap\/plain replaced$/m], {
        input: configMapManifest('plain', { a: '3' }),
      }),
      refused('replace -f -', 'Error from server (NotFound): error when replacing "STDIN": configmaps "none" not found', {
        input: configMapManifest('none', {}),
      }),
    ],
  },
]

const patch: readonly CommandCase[] = [
  {
    name: 'strategic',
    steps: [
      step('apply -f -', 'deployment.apps/web created', two),
      step(
        'patch deployment web -p {"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"1"}]}]}}}}',
        'deployment.apps/web patched',
      ),
      step('get deployment web -o jsonpath={.spec.template.spec.containers[*].image}', 'nginx:1.27'),
      step(
        'patch deployment web -p {"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"$patch":"delete","name":"A"}]}]}}}}',
        'deployment.apps/web patched',
      ),
      step('get deployment web -o jsonpath={.spec.template.spec.containers[0].env}', ''),
      // What its controller writes in between would be a change.
      step('rollout status deployment web --timeout=60s', ['successfully rolled out']),
      step('patch deployment web -p {"spec":{"replicas":2}}', 'deployment.apps/web patched (no change)'),
      step('patch node talos03 -p {"spec":{"unschedulable":true}}', 'node/talos03 patched'),
      step('patch node talos03 -p {"spec":{"unschedulable":null}}', 'node/talos03 patched'),
    ],
  },
  {
    name: 'merge',
    steps: [
      step('patch deployment web --type=merge -p {"spec":{"replicas":4}}', 'deployment.apps/web patched'),
      step('patch rebalancepolicy talos --type=merge -p {"spec":{"mode":"Report"}}', 'rebalancepolicy.ballast.dev/talos patched'),
      refused(
        'patch rebalancepolicy talos -p {"spec":{"mode":"Report"}}',
        'error: application/strategic-merge-patch+json is not supported by ballast.dev/v1alpha1, Kind=RebalancePolicy',
      ),
    ],
  },
  {
    name: 'JSON',
    steps: [
      step(
        'patch deployment web --type=json -p [{"op":"replace","path":"/spec/replicas","value":3}]',
        'deployment.apps/web patched',
      ),
      refused(
        'patch deployment web --type=json -p [{"op":"test","path":"/spec/replicas","value":9}]',
        'The request is invalid: the server rejected our request due to an error in our request',
      ),
      refused(
        'patch deployment web --type=json -p [{"op":"remove","path":"/spec/none"}]',
        'The request is invalid: the server rejected our request due to an error in our request',
      ),
    ],
  },
  {
    name: 'subresources',
    steps: [
      step('patch deployment web --subresource=scale --type=merge -p {"spec":{"replicas":2}}', 'scale.autoscaling/web patched'),
      step('get deployment web --subresource=scale', /^web +2 +\d /m),
      step(
        'patch node talos03 --subresource=status --type=merge -p {"status":{"capacity":{"example.com/dongle":"2"}}}',
        'node/talos03 patched',
      ),
      step('get node talos03 --subresource=status -o jsonpath={.status.capacity.example\\.com/dongle}', '2'),
    ],
  },
]

const label: readonly CommandCase[] = [
  {
    name: 'label',
    steps: [
      step('label node talos03 tier=one', 'node/talos03 labeled'),
      refused('label node talos03 tier=two', "error: 'tier' already has a value (one), and --overwrite is false"),
      step('label node talos03 tier=one', 'node/talos03 not labeled'),
      step('label node talos03 tier=two --overwrite', 'node/talos03 labeled'),
      step('label node talos03 --list', ['tier=two', 'kubernetes.io/hostname=talos03']),
      step('label node talos03 tier-', 'node/talos03 unlabeled'),
      step('label pods -n media -l app.kubernetes.io/name=plex seen=yes', /^pod\/plex-\S+ labeled\n$/),
      step('label namespaces --all watched=yes', /^namespace\/argocd labeled\n/),
      refused('label node talos03 a=b/c', 'invalid label value: "a=b/c"'),
    ],
  },
  {
    name: 'annotate',
    steps: [
      step('annotate node talos03 note=one', 'node/talos03 annotated'),
      refused('annotate node talos03 note=two', "'note' already has a value (one)"),
      step('annotate node talos03 note=two --overwrite', 'node/talos03 annotated'),
      step('annotate node talos03 note-', 'node/talos03 annotated'),
      step('annotate rebalancepolicy talos ballast.dev/plan-now=1', 'rebalancepolicy.ballast.dev/talos annotated'),
    ],
  },
]

const remove: readonly CommandCase[] = [
  {
    name: 'a pod, waiting, at once, by force',
    steps: [
      step('apply -f -', 'deployment.apps/web created', two),
      step('rollout status deployment/web --timeout=40s', /successfully rolled out/),
      step('delete pods -l app=web --wait=false', /^(pod "web-\S+" deleted.*\n){2}$/),
      step('delete pods -l app=web --now', /^(pod "web-\S+" deleted.*\n){2,}$/),
      step('run alone --image=busybox --command -- sleep 3600', 'pod/alone created'),
      step('wait pod/alone --for=condition=Ready --timeout=30s', 'pod/alone condition met'),
      step('delete pod alone --force --grace-period=0', /^pod "alone" force deleted/, {
        err: /^Warning: Immediate deletion does not wait for confirmation/m,
      }),
      refused('delete pod alone', 'Error from server (NotFound): pods "alone" not found'),
      step('delete pod alone --ignore-not-found', ''),
    ],
  },
  {
    name: 'with what it owns, or without',
    steps: [
      step('rollout status deployment/web --timeout=40s', /successfully rolled out/),
      step('delete deployment web --cascade=orphan', /^deployment\.apps "web" deleted/),
      step('get replicasets -l app=web -o name', /^replicaset\.apps\/web-\w+\n$/),
      step('delete replicasets -l app=web --cascade=foreground', /^replicaset\.apps "web-\w+" deleted/),
      step('get replicasets,pods -l app=web', '', { err: 'No resources found in default namespace.' }),
      step('apply -f -', 'deployment.apps/web created', two),
      step('delete deployment web', /^deployment\.apps "web" deleted/),
      step('wait replicaset,pod -l app=web --for=delete --timeout=30s'),
      step('get replicasets,pods -l app=web', '', { err: 'No resources found in default namespace.' }),
    ],
  },
  {
    name: 'a namespace with all that is in it',
    steps: [
      step('create namespace leaves', 'namespace/leaves created'),
      step('create configmap inside -n leaves --from-literal=a=b', 'configmap/inside created'),
      step('create deployment inside -n leaves --image=nginx:1.27', 'deployment.apps/inside created'),
      step('delete namespace leaves --timeout=50s', /^namespace "leaves" deleted/),
      refused('get namespace leaves', 'Error from server (NotFound): namespaces "leaves" not found'),
      refused(
        'delete namespace kube-system',
        'Error from server (Forbidden): namespaces "kube-system" is forbidden: this namespace may not be deleted',
      ),
    ],
  },
  {
    name: 'all of a kind, with a dry run first',
    steps: [
      step('create configmap last --from-literal=a=b', 'configmap/last created'),
      step('delete configmap last --dry-run=server', /^configmap "last" deleted (from default namespace )?\(server dry run\)\n$/),
      step('delete configmap last -o name', 'configmap/last'),
      step('delete configmaps --all -n media', /^configmap "kube-root-ca.crt" deleted/),
    ],
  },
]

export const writingCases = {
  apply,
  'apply --server-side': serverSide,
  replace,
  patch,
  'label and annotate': label,
  delete: remove,
}
