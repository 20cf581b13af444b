// create with its many kinds, whose bodies are protobuf; run, expose, autoscale.
import { type CommandCase, refused, step } from './command-case.ts'

const create: readonly CommandCase[] = [
  {
    name: 'deployment',
    steps: [
      step('create deployment made --image=nginx:1.27 --replicas=2 --port=80', 'deployment.apps/made created'),
      step('rollout status deployment/made --timeout=40s', /successfully rolled out/),
      step('get deployment made -o wide', [
        /CONTAINERS +IMAGES +SELECTOR *\n/,
        /^made +2\/2 +2 +2 .* nginx +nginx:1\.27 +app=made *$/m,
      ]),
      step(
        'get deployment made -o jsonpath={.spec.template.spec.containers[0].ports}',
        '[{"containerPort":80,"protocol":"TCP"}]',
      ),
      refused(
        'create deployment made --image=nginx',
        'error: failed to create deployment: deployments.apps "made" already exists',
      ),
    ],
  },
  {
    name: 'configmap and secret',
    steps: [
      step('create configmap cm --from-literal=a=b --from-literal=c=d', 'configmap/cm created'),
      step('get configmap cm', /^cm +2 /m),
      step('describe configmap cm', /^Data\n====\n(?:c:\n----\nd\n\n)?a:\n----\nb\n/m),
      step('create secret generic key --from-literal=password=secret', 'secret/key created'),
      step('get secret key', /^key +Opaque +1 /m),
      step('get secret key -o jsonpath={.data.password}', 'c2VjcmV0'),
      step('describe secret key', [/^Type: +Opaque$/m, /^password: +6 bytes$/m]),
      step(
        'create secret docker-registry pull --docker-server=registry.example --docker-username=u --docker-password=p',
        'secret/pull created',
      ),
      step('get secret pull', /^pull +kubernetes\.io\/dockerconfigjson +1 /m),
    ],
  },
  {
    name: 'job and cronjob',
    steps: [
      step('create job once --image=busybox -- true', 'job.batch/once created'),
      step('get job once', /^once +(Running|Complete) +[01]\/1 /m),
      step(
        ['create', 'cronjob', 'often', '--image=busybox', '--schedule=*/5 * * * *', '--', 'true'],
        'cronjob.batch/often created',
      ),
      step('get cronjob often', /^often +\*\/5 \* \* \* \* +<none> +False +0 /m),
      step('create job now --from=cronjob/often', 'job.batch/now created'),
      step('describe job now', /^Controlled By: +CronJob\/often$/m),
      step(
        'wait job/once job/now --for=condition=Complete --timeout=50s',
        'job.batch/once condition met\njob.batch/now condition met',
      ),
      step('get job once', /^once +Complete +1\/1 /m),
      step('get pods -l job-name=once', /^once-\w+ +0\/1 +Completed +0 /m),
      step('delete cronjob often', /^cronjob\.batch "often" deleted/),
    ],
  },
  {
    name: 'roles and bindings',
    steps: [
      step(
        'create role reader --verb=get,list,watch --resource=pods,deployments.apps',
        'role.rbac.authorization.k8s.io/reader created',
      ),
      step('describe role reader', [
        /^ {2}pods +\[\] +\[\] +\[get list watch\]$/m,
        /^ {2}deployments\.apps +\[\] +\[\] +\[get list watch\]$/m,
      ]),
      step('create rolebinding alice --role=reader --user=alice', 'rolebinding.rbac.authorization.k8s.io/alice created'),
      step('get rolebinding alice -o wide', /^alice +Role\/reader +\S+ +alice /m),
      step(
        'create clusterrole metrics --verb=get --non-resource-url=/metrics',
        'clusterrole.rbac.authorization.k8s.io/metrics created',
      ),
      step(
        'create clusterrolebinding metrics --clusterrole=metrics --serviceaccount=default:default',
        'clusterrolebinding.rbac.authorization.k8s.io/metrics created',
      ),
      step('auth can-i list pods --as=alice', 'yes'),
      step('auth can-i get /metrics --as=system:serviceaccount:default:default', 'yes'),
    ],
  },
  {
    name: 'namespace, service account, token',
    steps: [
      step('create namespace fresh', 'namespace/fresh created'),
      step('wait serviceaccount/default -n fresh --for=create --timeout=10s', /serviceaccount\/default/),
      step('get configmap -n fresh', /^kube-root-ca\.crt +1 /m),
      step('create serviceaccount robot', 'serviceaccount/robot created'),
      step('create token robot', /^eyJ[\w-]+\.[\w-]+\.[\w-]+\n?$/),
      refused(
        'create token robot --duration=5m',
        'error: failed to create token: TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 300: may not specify a duration less than 10 minutes',
      ),
      refused('create token none', 'error: failed to create token: serviceaccounts "none" not found'),
    ],
  },
  {
    name: 'quota, which is kept',
    steps: [
      step('create quota few -n fresh --hard=count/configmaps=2,pods=1', 'resourcequota/few created'),
      step(
        'wait quota/few -n fresh --for=jsonpath={.status.used.count/configmaps}=1 --timeout=10s',
        'resourcequota/few condition met',
      ),
      step('create configmap a -n fresh --from-literal=a=b', 'configmap/a created'),
      refused(
        'create configmap b -n fresh --from-literal=a=b',
        'error: failed to create configmap: configmaps "b" is forbidden: exceeded quota: few, requested: count/configmaps=1, used: count/configmaps=2, limited: count/configmaps=2',
      ),
      step('describe quota few -n fresh', [/^count\/configmaps +2 +2$/m, /^pods +0 +1$/m]),
    ],
  },
  {
    name: 'budget, priority class, ingress, services',
    steps: [
      step('create pdb made --selector=app=made --min-available=1', 'poddisruptionbudget.policy/made created'),
      step(
        'wait pdb/made --for=jsonpath={.status.disruptionsAllowed}=1 --timeout=10s',
        'poddisruptionbudget.policy/made condition met',
      ),
      step('create priorityclass high --value=1000 --description=first', 'priorityclass.scheduling.k8s.io/high created'),
      step('get priorityclass high', /^high +1000 +false /m),
      step('create ingress front --rule=example.com/=made:80', 'ingress.networking.k8s.io/front created'),
      step('get ingress front', /^front +<none> +example\.com +80 /m),
      step('create service clusterip inner --tcp=80:8080', 'service/inner created'),
      step('create service nodeport outer --tcp=80', 'service/outer created'),
      step('get service outer', /^outer +NodePort +10\.96\.\S+ +<none> +80:3\d{4}\/TCP /m),
      step('create service externalname away --external-name=example.com', 'service/away created'),
      step('get service away', /^away +ExternalName +<none> +example\.com +<none> /m),
    ],
  },
  {
    name: 'dry runs',
    steps: [
      step('create namespace imagined --dry-run=server', 'namespace/imagined created (server dry run)'),
      refused('get namespace imagined', 'Error from server (NotFound): namespaces "imagined" not found'),
      step('create configmap imagined --from-literal=a=b --dry-run=client -o yaml', [
        /^apiVersion: v1\ndata:\n {2}a: b\nkind: ConfigMap\n/,
      ]),
    ],
  },
]

const run: readonly CommandCase[] = [
  {
    name: 'run',
    steps: [
      step('run single --image=nginx:1.27 --labels=app=single --port=80', 'pod/single created'),
      step('wait pod/single --for=condition=Ready --timeout=30s', 'pod/single condition met'),
      step('get pod single', /^single +1\/1 +Running +0 /m),
      step('run imagined --image=nginx --dry-run=server', 'pod/imagined created (server dry run)'),
      step('run brief --image=busybox --restart=Never --command -- true', 'pod/brief created'),
    ],
  },
  {
    name: 'expose',
    steps: [
      step('expose pod single --port=80 --name=shown', 'service/shown exposed'),
      step('create deployment behind --image=nginx:1.27', 'deployment.apps/behind created'),
      step('rollout status deployment/behind --timeout=40s', /successfully rolled out/),
      step('expose deployment behind --port=80 --target-port=8080', 'service/behind exposed'),
      step('describe service behind', [
        /^Port: +<unset> {2}80\/TCP$/m,
        /^TargetPort: +8080\/TCP$/m,
        /^Endpoints: +10\.244\.\d+\.\d+:8080$/m,
      ]),
      step('get endpoints behind', /^behind +10\.244\.\d+\.\d+:8080 /m, {
        err: /Warning: v1 Endpoints is deprecated in v1\.33\+; use discovery\.k8s\.io\/v1 EndpointSlice/,
      }),
      step('get endpointslices -l kubernetes.io/service-name=behind', /^behind-\w+ +IPv4 +8080 +10\.244\.\d+\.\d+ /m),
    ],
  },
  {
    name: 'autoscale',
    steps: [
      step(
        'autoscale deployment behind --min=1 --max=4 --cpu-percent=80',
        'horizontalpodautoscaler.autoscaling/behind autoscaled',
      ),
      step('get hpa behind', /^behind +Deployment\/behind +cpu: \S+\/80% +1 +4 +\d /m),
      step('describe hpa behind', [/^Reference: +Deployment\/behind$/m, /^Min replicas: +1$/m]),
    ],
  },
]

export const creatingCases = { create, 'run, expose, autoscale': run }
