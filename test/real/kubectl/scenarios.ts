// What kubectl is asked to do for a trace: each scenario is a line of commands on a cluster of its own. `FILE` stands for the
// scenario's manifest.

export interface Scenario {
  readonly name: string
  readonly commands: readonly (readonly string[])[]
  readonly manifest?: string
  /** Commands that never end by themselves are stopped after this time. */
  readonly stopAfterMs?: number
}

const words = (line: string): readonly string[] => line.split(' ')
const simple = (name: string, ...lines: readonly string[]): Scenario => ({ name, commands: lines.map(words) })

const deployment = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: default}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: c, image: "nginx:1.28", ports: [{containerPort: 80}]}]}
`

export const scenarios: readonly Scenario[] = [
  simple('get-nodes', 'get nodes', 'get nodes -o wide', 'get node n1 -o yaml', 'get nodes -o json'),
  simple(
    'get-pods',
    'get pods -A',
    'get pods -l app=web -o name',
    'get pods --field-selector spec.nodeName=n1',
    'get pod web-a -o jsonpath={.spec.nodeName}',
  ),
  simple(
    'get-more',
    'get all',
    'get deploy,rs,svc,cm',
    'get events',
    'get pdb web -o custom-columns=N:.metadata.name',
    'get widgets',
    'get pod none',
  ),
  { name: 'get-watch', commands: [words('get pods -w')], stopAfterMs: 1500 },
  simple(
    'describe',
    'describe node n1',
    'describe pod web-a',
    'describe deploy web',
    'describe svc web',
    'describe pdb web',
    'describe widget w',
  ),
  simple('top', 'top nodes', 'top pods'),
  simple('cordon', 'cordon n1', 'uncordon n1'),
  simple('drain', 'drain n1 --ignore-daemonsets --force --grace-period=0 --timeout=20s'),
  simple('drain-dry-run', 'drain n2 --dry-run=server'),
  { name: 'apply', commands: [words('apply -f FILE'), words('apply -f FILE'), words('diff -f FILE')], manifest: deployment(2) },
  {
    name: 'apply-server-side',
    commands: [words('apply --server-side -f FILE'), words('apply --server-side --field-manager=other -f FILE')],
    manifest: deployment(2),
  },
  {
    name: 'create-replace-delete',
    commands: [words('create -f FILE'), words('replace -f FILE'), words('delete -f FILE')],
    manifest: deployment(1),
  },
  simple(
    'create',
    'create configmap a --from-literal=b=c',
    'create secret generic s --from-literal=b=c',
    'create namespace n',
    'create deployment d --image=nginx',
    'create job j --image=busybox',
    'create serviceaccount acc',
    'create token acc',
    'create role r --verb=get --resource=pods',
    'create rolebinding rb --role=r --serviceaccount=default:acc',
    'create quota q --hard=pods=9',
    'create pdb p --selector=app=x --min-available=1',
    'create service clusterip sv --tcp=80:8080',
  ),
  simple('label-annotate', 'label node n1 a=b', 'label node n1 a-', 'annotate pod web-a x=y', 'annotate pod web-a x-'),
  simple('taint', 'taint node n1 k=v:NoSchedule', 'taint node n1 k-'),
  {
    name: 'patch',
    commands: [
      ['patch', 'deploy', 'web', '-p', '{"spec":{"replicas":3}}'],
      ['patch', 'deploy', 'web', '--type=merge', '-p', '{"spec":{"paused":true}}'],
      ['patch', 'deploy', 'web', '--type=json', '-p', '[{"op":"remove","path":"/spec/paused"}]'],
      ['patch', 'widget', 'w', '--type=merge', '-p', '{"spec":{"size":2}}'],
    ],
  },
  simple(
    'delete',
    'delete pod web-a --force --grace-period=0',
    'delete cm settings',
    'delete deploy none',
    'delete deploy web --cascade=orphan --wait=false',
  ),
  simple('scale', 'scale deploy web --replicas=3', 'scale rs web-hash1 --replicas=1 --current-replicas=0'),
  simple('set-image', 'set image deploy/web c=nginx:1.29', 'set resources deploy web --requests=cpu=200m'),
  simple(
    'rollout',
    'rollout status deploy/web',
    'rollout history deploy/web',
    'rollout history deploy/web --revision=1',
    'rollout undo deploy/web',
    'rollout restart deploy/web',
    'rollout pause deploy/web',
    'rollout resume deploy/web',
  ),
  simple(
    'wait',
    'wait --for=condition=Ready pod/web-a --timeout=5s',
    'wait --for=delete pod/none --timeout=5s',
    'wait --for=jsonpath={.spec.replicas}=2 deploy/web --timeout=5s',
  ),
  simple('events', 'events', 'events --for pod/web-a'),
  simple('explain', 'explain pod.spec', 'explain deploy.spec.strategy', 'explain pdb --recursive', 'explain widget'),
  simple(
    'discovery',
    'api-resources',
    'api-versions',
    'version',
    'cluster-info',
    'get --raw /readyz?verbose',
    'get --raw /api/v1/nodes',
  ),
  simple(
    'auth',
    'auth can-i get pods',
    'auth can-i --list',
    'auth whoami',
    'auth can-i delete pods --as system:serviceaccount:default:default',
    'get pods --as system:serviceaccount:default:default',
  ),
  simple('logs-exec', 'logs web-a', 'exec none -- true'),
  simple(
    'run-expose-autoscale',
    'run one --image=nginx',
    'expose deploy web --port=80 --name=web2',
    'autoscale deploy web --max=4',
  ),
  {
    name: 'apply-moves-and-conflicts',
    commands: [
      words('apply -f FILE'),
      words('apply --server-side -f FILE'),
      words('scale deployment api --replicas=5'),
      words('apply --server-side --field-manager=other -f FILE'),
      words('apply --server-side --field-manager=other --force-conflicts -f FILE'),
      words('diff --server-side --field-manager=other -f FILE'),
      words('apply -f FILE --dry-run=server'),
      words('apply view-last-applied deployment/api'),
    ],
    manifest: deployment(2),
  },
  {
    name: 'create-more',
    commands: [
      ...[
        'create secret docker-registry pull --docker-server=registry.example --docker-username=u --docker-password=p',
        'create clusterrole metrics --verb=get --non-resource-url=/metrics',
        'create clusterrolebinding metrics --clusterrole=metrics --user=alice',
        'create priorityclass high --value=1000',
        'create ingress front --rule=example.com/=web:80',
        'create service nodeport outer --tcp=80',
        'create service externalname away --external-name=example.com',
        'create configmap settings --from-literal=b=c',
        'create namespace imagined --dry-run=server',
        'create deployment Bad_ --image=nginx',
        'create token default --duration=5m',
      ].map(words),
      ['create', 'cronjob', 'often', '--image=busybox', '--schedule=*/5 * * * *'],
      words('create job now --from=cronjob/often'),
    ],
  },
  simple(
    'get-forms',
    'get pods --show-labels',
    'get pods -L app --chunk-size=1',
    'get pods --sort-by=.metadata.name -o wide',
    'get pods -A -o jsonpath={.items[*].spec.nodeName}',
    'get deploy/web service/web',
    'get deploy web --subresource=scale',
    'get endpoints',
    'get pods -l app=none',
    'get crd',
    'get leases -A',
  ),
  { name: 'get-watch-events', commands: [words('get configmaps -w --output-watch-events')], stopAfterMs: 1500 },
  simple(
    'refusals',
    'get pod none',
    'get none',
    'get pods --field-selector spec.none=1',
    'get pods -n default --as=alice',
    'get nodes --as=alice',
    'delete namespace kube-system',
    'cordon none',
    'patch widget w -p {"spec":{"size":2}}',
    'patch deploy web --type=json -p [{"op":"test","path":"/spec/replicas","value":9}]',
    'patch deploy web -p {"spec":{"selector":{"matchLabels":{"app":"other"}}}}',
    'scale deploy web --replicas=4 --current-replicas=9',
  ),
  simple(
    'set-more',
    'set env deploy/web A=1',
    'set env deploy/web --list',
    'set serviceaccount deploy web default',
    'set image deploy/web c=nginx:1.28',
  ),
  simple(
    'delete-more',
    'delete pods -l app=web --dry-run=server',
    'delete pods -l app=web --wait=false',
    'delete service web --ignore-not-found',
    'delete rs web-hash1 --cascade=foreground --wait=false',
    'delete configmaps --all',
  ),
  simple(
    'eviction-refused',
    'drain n1 --ignore-daemonsets --force --timeout=20s --grace-period=0',
    'drain n2 --force --timeout=2s',
  ),
]
