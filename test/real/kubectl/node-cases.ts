// cordon, uncordon, drain, taint.
import { type CommandCase, refused, step } from './command-case.ts'
import { deploymentManifest } from './manifests.ts'

const cordon: readonly CommandCase[] = [
  {
    name: 'cordon and uncordon',
    steps: [
      step('cordon talos03', 'node/talos03 cordoned'),
      step('cordon talos03', 'node/talos03 already cordoned'),
      step('get node talos03', /^talos03 +Ready,SchedulingDisabled /m),
      step('get node talos03 -o jsonpath={.spec.taints[*].key}', 'node.kubernetes.io/unschedulable'),
      step('describe node talos03', [/^Taints: +node\.kubernetes\.io\/unschedulable:NoSchedule$/m, /^Unschedulable: +true$/m]),
      step('uncordon talos03', 'node/talos03 uncordoned'),
      step('uncordon talos03', 'node/talos03 already uncordoned'),
      step('wait node/talos03 --for=jsonpath={.spec.taints}= --timeout=1s', undefined, { code: 1 }),
      step('get node talos03', /^talos03 +Ready +/m),
      refused('cordon none', 'nodes "none" not found'),
    ],
  },
  {
    name: 'taint',
    steps: [
      step('taint node talos03 dedicated=gpu:NoSchedule', 'node/talos03 tainted'),
      step('get node talos03 -o jsonpath={.spec.taints}', '[{"effect":"NoSchedule","key":"dedicated","value":"gpu"}]'),
      refused(
        'taint node talos03 dedicated=gpu:NoSchedule',
        'error: node talos03 already has dedicated taint(s) with same effect(s) and --overwrite is false',
      ),
      step('taint node talos03 dedicated=cpu:NoSchedule --overwrite', 'node/talos03 modified'),
      step(
        'taint nodes -l !node-role.kubernetes.io/control-plane soft:PreferNoSchedule',
        /^node\/talos01 tainted\nnode\/talos02-gpu tainted\nnode\/talos03 tainted\n$/,
      ),
      step(
        'taint nodes -l !node-role.kubernetes.io/control-plane soft-',
        /^node\/talos01 untainted\nnode\/talos02-gpu untainted\nnode\/talos03 untainted\n$/,
      ),
      step('taint node talos03 dedicated:NoSchedule-', 'node/talos03 untainted'),
      refused('taint node talos03 none-', 'error: taint "none" not found'),
      refused('taint node talos03 a=b:Sometimes', 'invalid taint effect: Sometimes'),
    ],
  },
]

const drain: readonly CommandCase[] = [
  {
    name: 'DaemonSets are in the way',
    steps: [
      refused('drain talos03', [
        'error: unable to drain node "talos03" due to error: cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): kube-system/cilium-',
        'There are pending nodes to be drained:\n talos03\n',
      ]),
      step('drain talos03 --ignore-daemonsets --dry-run=server', [
        'node/talos03 already cordoned (server dry run)',
        'evicting pod media/plex-',
        '(server dry run)',
      ]),
      step('get deployment plex -n media', /^plex +1\/1 /m),
    ],
  },
  {
    name: 'evicted pods land elsewhere and become Ready',
    steps: [
      step(
        'drain talos03 --ignore-daemonsets --timeout=60s',
        [
          /^node\/talos03 already cordoned\n/,
          /^evicting pod media\/plex-\S+$/m,
          /^pod\/plex-\S+ evicted$/m,
          /^pod\/jellyfin-\S+ evicted$/m,
          /node\/talos03 drained\n$/,
        ],
        { limitMs: 90_000 },
      ),
      step('wait deployment/plex deployment/jellyfin -n media --for=condition=Available --timeout=40s', [
        'deployment.apps/plex condition met',
      ]),
      step('rollout status deployment/dev-small -n scratch --timeout=40s', /successfully rolled out\n$/),
      step('get pods -n media -l app.kubernetes.io/name=plex -o wide', /^plex-\S+ +1\/1 +Running +0 .* talos0[12]\S* /m),
      step(
        'get pods -A --field-selector spec.nodeName=talos03 --no-headers',
        /^(kube-system|monitoring|node-feature-discovery|traefik) (.*\n){4}$/,
      ),
      step('get pods -A --field-selector status.phase=Pending', '', { err: 'No resources found' }),
      step('uncordon talos03', 'node/talos03 uncordoned'),
    ],
  },
  {
    name: 'a budget holds a drain up until the first pod runs elsewhere',
    steps: [
      step('label node talos02-gpu talos03 held=here', /labeled/),
      step('cordon talos02-gpu', 'node/talos02-gpu cordoned'),
      step('apply -f -', 'deployment.apps/held created', {
        input: deploymentManifest({ name: 'held', nodeSelector: 'held: here' }),
      }),
      step('rollout status deployment/held --timeout=40s', /successfully rolled out/),
      step('uncordon talos02-gpu', 'node/talos02-gpu uncordoned'),
      step('create pdb held --selector=app=held --min-available=1', 'poddisruptionbudget.policy/held created'),
      step(
        'wait pdb/held --for=jsonpath={.status.disruptionsAllowed}=1 --timeout=10s',
        'poddisruptionbudget.policy/held condition met',
      ),
      step('get pdb held', /^held +1 +N\/A +1 /m),
      step(
        'drain talos03 --ignore-daemonsets --pod-selector=app=held --timeout=50s',
        /^(pod\/held-\S+ evicted\n[\s\S]*){2}node\/talos03 drained\n$/m,
        {
          err: /will retry after 5s\): Cannot evict pod as it would violate the pod's disruption budget\./,
        },
      ),
      step('wait deployment/held --for=jsonpath={.status.readyReplicas}=2 --timeout=30s', 'deployment.apps/held condition met'),
      step('get pods -l app=held -o jsonpath={.items[*].spec.nodeName}', 'talos02-gpu talos02-gpu'),
      step('delete pdb/held deployment/held', [
        /^poddisruptionbudget\.policy "held" deleted/m,
        /^deployment\.apps "held" deleted/m,
      ]),
      step('uncordon talos03', 'node/talos03 uncordoned'),
    ],
  },
  {
    name: 'a budget that allows nothing ends the drain with its reason',
    steps: [
      step(
        'patch pdb nexus -n registry --type=merge -p {"spec":{"maxUnavailable":0}}',
        'poddisruptionbudget.policy/nexus patched',
      ),
      step('wait pdb/nexus -n registry --for=jsonpath={.status.disruptionsAllowed}=0 --timeout=10s'),
      {
        kubectl: 'drain talos01 --ignore-daemonsets --pod-selector=app.kubernetes.io/name=nexus --timeout=3s',
        code: 1,
        err: ["Cannot evict pod as it would violate the pod's disruption budget.", 'global timeout reached: 3s'],
      },
      step('get pod nexus-0 -n registry', /^nexus-0 +1\/1 +Running /m),
      step('uncordon talos01', 'node/talos01 uncordoned'),
    ],
  },
]

export const nodeCases = { 'cordon and taint': cordon, drain }
