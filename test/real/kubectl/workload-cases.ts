// scale, set, rollout, wait, events.
import { type CommandCase, refused, step } from './command-case.ts'
import { deploymentManifest } from './manifests.ts'

const web = { input: deploymentManifest() }
const rolledOut = /deployment "web" successfully rolled out\n$/

const scale: readonly CommandCase[] = [
  {
    name: 'deployments and statefulsets',
    steps: [
      step('apply -f -', 'deployment.apps/web created', web),
      step('scale deployment web --replicas=4', 'deployment.apps/web scaled'),
      step('rollout status deployment/web --timeout=40s', rolledOut),
      step('get deployment web', /^web +4\/4 +4 +4 /m),
      refused('scale deployment web --replicas=5 --current-replicas=3', 'error: Expected replicas to be 3, was 4'),
      step('scale deployment web --replicas=1 --current-replicas=4', 'deployment.apps/web scaled'),
      step('wait deployment/web --for=jsonpath={.status.replicas}=1 --timeout=20s', 'deployment.apps/web condition met'),
      step('scale statefulset loki -n monitoring --replicas=1', 'statefulset.apps/loki scaled'),
      step('wait pod/loki-1 -n monitoring --for=delete --timeout=40s', /pod\/loki-1 condition met|^$/),
      step('get statefulset loki -n monitoring', /^loki +1\/1 /m),
      step('scale --replicas=0 deployment -n media -l app.kubernetes.io/name=plex', 'deployment.apps/plex scaled'),
      step('get deployment plex -n media', /^plex +0\/0 /m),
      refused('scale deployment none --replicas=1', 'deployments.apps "none" not found'),
      refused(
        'scale deployment web --replicas=-1',
        'error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0',
      ),
    ],
  },
]

const set: readonly CommandCase[] = [
  {
    name: 'image, env, resources, service account, selector',
    steps: [
      step('apply -f -', 'deployment.apps/web created', web),
      step('set image deployment/web web=nginx:1.28', 'deployment.apps/web image updated'),
      step('get deployment web -o jsonpath={.spec.template.spec.containers[0].image}', 'nginx:1.28'),
      step('set image deployment/web web=nginx:1.28', ''),
      refused('set image deployment/web none=nginx:1.28', 'error: unable to find container named "none"'),
      step('set env deployment/web A=1 B=2', 'deployment.apps/web env updated'),
      step('set env deployment/web --list', '# Deployment web, container web\nA=1\nB=2'),
      step('set env deployment/web A-', 'deployment.apps/web env updated'),
      step('set resources deployment/web --limits=cpu=200m,memory=64Mi', 'deployment.apps/web resource requirements updated'),
      step(
        'get deployment web -o jsonpath={.spec.template.spec.containers[0].resources}',
        '{"limits":{"cpu":"200m","memory":"64Mi"},"requests":{"cpu":"10m","memory":"16Mi"}}',
      ),
      step('set serviceaccount deployment web default', 'deployment.apps/web serviceaccount updated'),
      step('rollout status deployment/web --timeout=50s', rolledOut),
    ],
  },
]

const rollout: readonly CommandCase[] = [
  {
    name: 'history and undo',
    steps: [
      step('apply -f -', 'deployment.apps/web created', web),
      step('rollout status deployment/web --timeout=40s', rolledOut),
      step('set image deployment/web web=nginx:1.28', 'deployment.apps/web image updated'),
      step('rollout status deployment/web --timeout=40s', rolledOut),
      step('rollout history deployment/web', /^deployment\.apps\/web \nREVISION {2}CHANGE-CAUSE\n1 +<none>\n2 +<none>\n/),
      step('rollout history deployment/web --revision=2', [
        /^deployment\.apps\/web with revision #2\nPod Template:\n/,
        /^ {4}Image:\tnginx:1\.28$/m,
      ]),
      step('rollout undo deployment/web', 'deployment.apps/web rolled back'),
      step('rollout status deployment/web --timeout=40s', rolledOut),
      step('get deployment web -o jsonpath={.spec.template.spec.containers[0].image}', 'nginx:1.27'),
      step('rollout history deployment/web', /^deployment\.apps\/web \nREVISION {2}CHANGE-CAUSE\n2 +<none>\n3 +<none>\n/),
      step('rollout undo deployment/web --to-revision=2', 'deployment.apps/web rolled back'),
      refused('rollout undo deployment/web --to-revision=99', 'error: unable to find specified revision 99 in history'),
      step('rollout undo deployment/web --dry-run=server', 'deployment.apps/web rolled back (server dry run)'),
    ],
  },
  {
    name: 'restart',
    steps: [
      step('rollout restart deployment/web', 'deployment.apps/web restarted'),
      step('rollout status deployment/web --timeout=40s', rolledOut),
      step(
        'get deployment web -o jsonpath={.spec.template.metadata.annotations}',
        /^\{"kubectl\.kubernetes\.io\/restartedAt":"20\d\d-/,
      ),
      step('rollout restart statefulset/postgresql -n catalyst', 'statefulset.apps/postgresql restarted'),
      step(
        'rollout status statefulset/postgresql -n catalyst --timeout=50s',
        /(rolling update complete 1 pods at revision|roll out complete)/,
      ),
      step('rollout history statefulset/postgresql -n catalyst', /^1 +<none>\n2 +<none>$/m),
      step('rollout restart daemonset/traefik -n traefik', 'daemonset.apps/traefik restarted'),
      step('rollout status daemonset/traefik -n traefik --timeout=60s', /daemon set "traefik" successfully rolled out\n$/, {
        limitMs: 70_000,
      }),
    ],
  },
  {
    name: 'pause and resume',
    steps: [
      step('rollout pause deployment/web', 'deployment.apps/web paused'),
      refused('rollout pause deployment/web', 'error: deployments.apps "web" is already paused'),
      step('set image deployment/web web=nginx:1.29', 'deployment.apps/web image updated'),
      refused(
        'rollout restart deployment/web',
        'error: deployments.apps "web" can\'t restart paused deployment (run rollout resume first)',
      ),
      step('get pods -l app=web -o jsonpath={.items[*].spec.containers[0].image}', /^(nginx:1\.2[78] ?)+$/),
      step('rollout resume deployment/web', 'deployment.apps/web resumed'),
      step('rollout status deployment/web --timeout=40s', rolledOut),
      refused('rollout resume deployment/web', 'error: deployments.apps "web" is not paused'),
    ],
  },
  {
    name: 'a status that does not come',
    steps: [
      step('set resources deployment/web --requests=cpu=500', 'deployment.apps/web resource requirements updated'),
      refused('rollout status deployment/web --timeout=2s', 'error: timed out waiting for the condition'),
      step('events --for deployment/web', /ScalingReplicaSet/),
      step('get pods -l app=web --field-selector status.phase=Pending', /^web-\S+ +0\/1 +Pending +0 /m),
      step('events --types=Warning', /FailedScheduling +Pod\/web-\S+ +0\/4 nodes are available: .*4 Insufficient cpu\./),
      step(['patch', 'deployment', 'web', '-p', '{"spec":{"progressDeadlineSeconds":10}}'], 'deployment.apps/web patched'),
      refused('rollout status deployment/web --timeout=40s', 'error: deployment "web" exceeded its progress deadline'),
      step(['patch', 'deployment', 'web', '-p', '{"spec":{"progressDeadlineSeconds":600}}'], 'deployment.apps/web patched'),
      step('rollout undo deployment/web', 'deployment.apps/web rolled back'),
      step('rollout status deployment/web --timeout=40s', rolledOut),
    ],
  },
]

const wait: readonly CommandCase[] = [
  {
    name: 'conditions, JSONPath, deletion, creation',
    steps: [
      step('apply -f -', 'deployment.apps/web created', web),
      step('wait deployment/web --for=condition=Available --timeout=40s', 'deployment.apps/web condition met'),
      step('wait pod -l app=web --for=condition=Ready --timeout=40s', /^(pod\/web-\S+ condition met\n){2}$/),
      step('wait deployment/web --for=jsonpath={.status.readyReplicas}=2 --timeout=10s', 'deployment.apps/web condition met'),
      step('wait nodes --all --for=condition=Ready --timeout=10s', /^(node\/talos\S+ condition met\n){4}$/),
      refused(
        'wait deployment/web --for=condition=Never --timeout=1s',
        'error: timed out waiting for the condition on deployments/web',
      ),
      refused('wait deployment/web --for=delete --timeout=1s', 'error: timed out waiting for the condition on deployments/web'),
      refused(
        'wait deployment/none --for=condition=Available --timeout=1s',
        'Error from server (NotFound): deployments.apps "none" not found',
      ),
      step('delete deployment web --wait=false', /^deployment\.apps "web" deleted/),
      step('wait deployment/web --for=delete --timeout=20s', /^(deployment\.apps\/web condition met\n)?$/),
      step('wait namespace/default --for=create --timeout=5s', 'namespace/default condition met'),
    ],
  },
]

const events: readonly CommandCase[] = [
  {
    name: "of a pod's life",
    steps: [
      step('apply -f -', 'deployment.apps/web created', web),
      step('rollout status deployment/web --timeout=40s', rolledOut),
      step('events', [
        /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE *\n/,
        /Normal +Scheduled +Pod\/web-\S+ +Successfully assigned default\/web-\S+ to talos/,
        /Normal +Pulling +Pod\/web-\S+ +Pulling image "nginx:1\.27"/,
      ]),
      step('events --for deployment/web', /ScalingReplicaSet +Deployment\/web +Scaled up replica set web-\w+ from 0 to 2/),
      step('get events', /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE *\n/),
      step(
        'get events --field-selector reason=SuccessfulCreate --no-headers',
        /^(\S+ +Normal +SuccessfulCreate +replicaset\/web-\w+ +Created pod: web-\S+ *\n){2}$/,
      ),
      step(
        'get events -A -o wide',
        /^NAMESPACE +LAST SEEN +TYPE +REASON +OBJECT +SUBOBJECT +SOURCE +MESSAGE +FIRST SEEN +COUNT +NAME *\n/,
      ),
      step('describe pod -l app=web --show-events', [
        /^Events:\n {2}Type +Reason +Age +From +Message\n/m,
        /Normal +Scheduled +\S+ +default-scheduler +Successfully assigned/,
        /Normal +Started +\S+ +kubelet /,
      ]),
      step('events --types=Warning -n media', '', { err: 'No events found in media namespace.' }),
    ],
  },
]

export const workloadCases = { scale, set, rollout, wait, events }
