// get, describe and top on the example as it stands.
import { type CommandCase, refused, step } from './command-case.ts'
import { configMapManifest } from './manifests.ts'

const age = String.raw`\d+[smhdy]\S*`

const get: readonly CommandCase[] = [
  {
    name: 'a table of nodes',
    steps: [
      step('get nodes', [
        /^NAME +STATUS +ROLES +AGE +VERSION *\n/,
        new RegExp(`^talos00 +Ready +control-plane +${age} +v1\\.34\\.1$`, 'm'),
        new RegExp(`^talos03 +Ready +<none> +${age} +v1\\.34\\.1$`, 'm'),
      ]),
    ],
  },
  {
    name: 'wide',
    steps: [
      step('get node talos00 -o wide', [
        /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME *\n/,
        /10\.0\.40\.10 +<none> +Talos \(v1\.11\.5\) +6\.12\.57-talos \(amd64\) +containerd:\/\/2\.1\.5/,
      ]),
      step('get pods -n media -o wide', [
        /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES *\n/,
        new RegExp(`^plex-\\S+ +1/1 +Running +0 +${age} +10\\.244\\.3\\.\\d+ +talos03 +<none> +<none>`, 'm'),
      ]),
    ],
  },
  {
    name: 'YAML',
    steps: [
      step('get namespace media -o yaml', [
        'apiVersion: v1\nkind: Namespace\nmetadata:\n  creationTimestamp: "2025-11-02T09:00:00Z"\n  labels:\n',
        '    kubernetes.io/metadata.name: media\n  name: media\n',
        'spec:\n  finalizers:\n  - kubernetes\nstatus:\n  phase: Active\n',
      ]),
      step('get nodes -o yaml', [
        /^apiVersion: v1\nitems:\n- apiVersion: v1\n {2}kind: Node\n/,
        'kind: List\nmetadata:\n  resourceVersion: ""\n',
      ]),
    ],
  },
  {
    name: 'JSON without managed fields unless asked for',
    steps: [
      step('get deployment plex -n media -o json', [
        /^\{\n {4}"apiVersion": "apps\/v1",\n {4}"kind": "Deployment",\n/,
        /"observedGeneration": \d/,
      ]),
      step('create configmap owned --from-literal=a=b', 'configmap/owned created'),
      step('get configmap owned -o yaml --show-managed-fields', ['managedFields:', 'manager: kubectl-create', 'f:data:']),
    ],
  },
  { name: 'names', steps: [step('get nodes -o name', 'node/talos00\nnode/talos01\nnode/talos02-gpu\nnode/talos03')] },
  {
    name: 'JSONPath',
    steps: [
      step('get nodes -o jsonpath={.items[*].metadata.name}', 'talos00 talos01 talos02-gpu talos03'),
      step(
        [
          'get',
          'nodes',
          '-o',
          'jsonpath={range .items[?(@.metadata.name!="talos00")]}{.metadata.name}={.status.capacity.cpu}{"\\n"}{end}',
        ],
        'talos01=12\ntalos02-gpu=14\ntalos03=16',
      ),
      step(['get', 'node', 'talos00', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'], 'True'),
    ],
  },
  {
    name: "columns of one's own",
    steps: [
      step(
        'get nodes -o custom-columns=NODE:.metadata.name,CPU:.status.capacity.cpu,NONE:.spec.none',
        /^NODE +CPU +NONE\ntalos00 +8 +<none>\ntalos01 +12 +<none>\ntalos02-gpu +14 +<none>\ntalos03 +16 +<none>\n$/,
      ),
    ],
  },
  {
    name: 'Go template',
    steps: [
      step(
        ['get', 'nodes', '-o', 'go-template={{range .items}}{{.metadata.name}} {{end}}'],
        'talos00 talos01 talos02-gpu talos03',
      ),
    ],
  },
  {
    name: 'label selectors',
    steps: [
      step('get pods -A -l app.kubernetes.io/name=plex -o name', /^pod\/plex-\S+\n$/),
      step(
        ['get', 'deployments', '-A', '-l', 'app.kubernetes.io/name in (plex,jellyfin)', '-o', 'name'],
        'deployment.apps/jellyfin\ndeployment.apps/plex',
      ),
      step(
        [
          'get',
          'deployments',
          '-n',
          'media',
          '-l',
          'scaling.talos.io/managed-by!=keda,app.kubernetes.io/name=plex',
          '-o',
          'name',
        ],
        'deployment.apps/plex',
      ),
      step('get nodes -l node-role.kubernetes.io/control-plane -o name', 'node/talos00'),
      step('get nodes -l !node-role.kubernetes.io/control-plane -o name', 'node/talos01\nnode/talos02-gpu\nnode/talos03'),
      step('get pods -A -l none=such', '', { err: 'No resources found' }),
    ],
  },
  {
    name: 'field selectors',
    steps: [
      step('get pods -A --field-selector spec.nodeName=talos03 --no-headers', /^(\S+ +\S+ +1\/1 +Running .*\n){9}$/),
      step('get pods -A --field-selector spec.nodeName=talos03,metadata.namespace=traefik -o name', /^pod\/traefik-\w+\n$/),
      step('get pods -A --field-selector status.phase!=Running', '', { err: 'No resources found' }),
      step('get namespace --field-selector metadata.name=media -o name', 'namespace/media'),
    ],
  },
  {
    name: 'all namespaces',
    steps: [
      step('get pods -A --no-headers', /^(\S+ +\S+ +1\/1 +Running +0 +\S+ *\n){124}$/),
      step('get deployments -A', [
        /^NAMESPACE +NAME +READY +UP-TO-DATE +AVAILABLE +AGE *\n/,
        /^catalyst +catalyst-workers +12\/12 +12 +12 /m,
      ]),
      step('get statefulsets -A', [/^NAMESPACE +NAME +READY +AGE *\n/, /^monitoring +mimir-ingester +3\/3 /m]),
      step('get daemonsets -A', [
        /^NAMESPACE +NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE *\n/,
        /^traefik +traefik +4 +4 +4 +4 +4 +<none> /m,
      ]),
      step('get pdb -A', [
        /^NAMESPACE +NAME +MIN AVAILABLE +MAX UNAVAILABLE +ALLOWED DISRUPTIONS +AGE *\n/,
        /^catalyst +catalyst-workers +N\/A +1 +1 /m,
      ]),
      step('get pvc -A', [
        /^NAMESPACE +NAME +STATUS +VOLUME +CAPACITY +ACCESS MODES +STORAGECLASS +VOLUMEATTRIBUTESCLASS +AGE *\n/,
        /^registry +data-nexus-0 +Bound +pvc-\S+ +100Gi +RWO +local-path +<unset> /m,
      ]),
      step('get services -A', [
        /^NAMESPACE +NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE *\n/,
        /^media +plex +ClusterIP +10\.96\.\S+ +<none> +32400\/TCP /m,
      ]),
    ],
  },
  {
    name: 'several kinds',
    steps: [
      step('get deployment/plex service/plex -n media', [/^deployment\.apps\/plex +1\/1 +1 +1 /m, /^service\/plex +ClusterIP /m]),
      step('get deploy,sts,ds -n monitoring -o name', [
        'deployment.apps/grafana\n',
        'statefulset.apps/loki\n',
        'daemonset.apps/node-exporter\n',
      ]),
      step('get all -n registry', ['pod/nexus-0', 'service/nexus', 'statefulset.apps/nexus']),
    ],
  },
  {
    name: 'labels shown',
    steps: [
      step('get deployment plex -n media --show-labels', [
        /AGE +LABELS *\n/,
        /app\.kubernetes\.io\/name=plex,scaling\.talos\.io\/managed-by=none\n$/,
      ]),
      step('get nodes -L kubernetes.io/hostname', [/VERSION +HOSTNAME *\n/, /^talos03 .* talos03$/m]),
    ],
  },
  {
    name: 'sorted',
    steps: [
      step('get nodes --sort-by=.metadata.name -o name', 'node/talos00\nnode/talos01\nnode/talos02-gpu\nnode/talos03'),
      step('get deployments -n media --sort-by={.metadata.name} --no-headers', /^immich-ml .*\njellyfin /),
    ],
  },
  { name: 'in chunks', steps: [step('get pods -A --chunk-size=7 --no-headers', /^(\S+ +\S+ +1\/1 +Running .*\n){124}$/)] },
  {
    name: 'raw paths',
    steps: [
      step('get --raw /healthz', 'ok'),
      step('get --raw /readyz?verbose', ['[+]ping ok', 'readyz check passed']),
      step('get --raw /version', ['"gitVersion"', '"major": "1"']),
      step('get --raw /api/v1/namespaces/media', [/"kind":"Namespace"/, /"name":"media"/]),
      step('get --raw /apis/metrics.k8s.io/v1beta1/nodes/talos00', /"cpu":"\d+[nm]?"/),
      refused('get --raw /nope', 'Error from server (NotFound): the server could not find the requested resource'),
    ],
  },
  {
    name: 'a watch sees a change',
    steps: [
      {
        kubectl: 'get configmaps -n media -w -o name',
        meanwhile: [
          step(['apply', '-f', '-'], 'configmap/seen created', {
            input: configMapManifest('seen', { a: '1' }).replace('"default"', '"media"'),
          }),
        ],
        out: /configmap\/seen/,
        limitMs: 120_000,
      },
      {
        kubectl: 'get nodes --watch',
        meanwhile: [step('cordon talos03', 'node/talos03 cordoned')],
        out: [/^NAME +STATUS +ROLES +AGE +VERSION *\n/, /talos03 +Ready,SchedulingDisabled /],
        limitMs: 120_000,
      },
      {
        kubectl: 'get configmap seen -n media --output-watch-events -w --no-headers',
        meanwhile: [step('delete configmap seen -n media', /^configmap "seen" deleted/)],
        out: [/^ADDED +seen +1 /, /^DELETED +seen +1 /m],
        limitMs: 120_000,
      },
    ],
  },
  {
    name: 'custom resources',
    steps: [
      step('get rebalancepolicies -o name', 'rebalancepolicy.ballast.dev/talos'),
      step('get rebalancepolicy talos', /^NAME +.*AGE/),
      step('get crd rebalancepolicies.ballast.dev', /^NAME +CREATED AT *\nrebalancepolicies\.ballast\.dev +20\d\d-/),
      step('get scaledobjects -A -o name', /^scaledobject\.keda\.sh\//),
    ],
  },
]

const describe: readonly CommandCase[] = [
  {
    name: 'talos00 has 93 % and 82 % requested and 59 pods',
    steps: [
      step('describe node talos00', [
        /^Name: +talos00\nRoles: +control-plane\n/,
        /^Unschedulable: +false$/m,
        /^Lease:\n {2}HolderIdentity: {2}talos00\n {2}AcquireTime: +<unset>\n/m,
        /^ {2}Ready +True .* KubeletReady +kubelet is posting ready status$/m,
        /^Allocatable:\n {2}cpu: +7950m\n/m,
        /^Non-terminated Pods: +\(59 in total\)$/m,
        /^ {2}cpu +7425m \(93%\) /m,
        /^ {2}memory +12772Mi \(82%\) /m,
      ]),
      step('describe node talos03', [
        /^Non-terminated Pods: +\(9 in total\)$/m,
        /^ {2}cpu +655m \(4%\) /m,
        /^ {2}memory +2239Mi \(16%\) /m,
      ]),
    ],
  },
  {
    name: 'a pod',
    steps: [
      step('describe pod -n media -l app.kubernetes.io/name=plex', [
        /^Name: +plex-\S+\nNamespace: +media\nPriority: +0\nService Account: +default\nNode: +talos03\/10\.0\.40\.13\n/,
        /^Status: +Running$/m,
        /^IPs:\n {2}IP: +10\.244\.3\.\d+$/m,
        /^Controlled By: +ReplicaSet\/plex-\S+$/m,
        /^ {4}Requests:\n {6}cpu: +50m\n {6}memory: +256Mi$/m,
        /^QoS Class: +Burstable$/m,
        /^Events: +<none>$/m,
      ]),
    ],
  },
  {
    name: 'a Deployment',
    steps: [
      step('describe deployment plex -n media', [
        /^Replicas: +1 desired \| 1 updated \| 1 total \| 1 available \| 0 unavailable$/m,
        /^StrategyType: +RollingUpdate$/m,
        /^RollingUpdateStrategy: +25% max unavailable, 25% max surge$/m,
        /^ {2}Available +True +MinimumReplicasAvailable$/m,
        /^NewReplicaSet: +plex-\S+ \(1\/1 replicas created\)$/m,
      ]),
    ],
  },
  {
    name: 'a disruption budget',
    steps: [
      step('describe pdb catalyst-workers -n catalyst', [
        /^Max unavailable: +1$/m,
        /^ {4}Allowed disruptions: +1\n {4}Current: +12\n {4}Desired: +11\n {4}Total: +12$/m,
      ]),
    ],
  },
  {
    name: 'a StatefulSet',
    steps: [
      step('describe statefulset postgresql -n catalyst', [
        /^Replicas: +1 desired \| 1 total$/m,
        /^Pods Status: +1 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed$/m,
        /^Volume Claims:\n {2}Name: +data\n {2}StorageClass: +nfs-slow$/m,
      ]),
    ],
  },
  {
    name: 'a claim and its volume',
    steps: [
      step('describe pvc data-postgresql-0 -n catalyst', [
        /^Status: +Bound$/m,
        /^Capacity: +100Gi$/m,
        /^Used By: +postgresql-0$/m,
      ]),
      step('describe pv', [/^Claim: +catalyst\/data-postgresql-0$/m, /^Claim: +registry\/data-nexus-0$/m, /Node Affinity:/]),
    ],
  },
  {
    name: 'a namespace with a quota',
    steps: [
      step('create quota few -n media --hard=pods=20,count/configmaps=5', 'resourcequota/few created'),
      step('get quota few -n media', [/^NAME +(AGE +)?REQUEST +LIMIT/]),
      step('describe namespace media', [/^Status: +Active$/m, /Resource Quotas/, /^ {2}pods +9 +20$/m]),
      step('describe quota few -n media', [/^Resource +Used +Hard$/m, /^pods +9 +20$/m]),
    ],
  },
  {
    name: 'custom resources',
    steps: [
      step('describe rebalancepolicy talos', [
        /^API Version: +ballast\.dev\/v1alpha1\nKind: +RebalancePolicy$/m,
        /^ {4}Name: +cp-light$/m,
      ]),
    ],
  },
  {
    name: 'other kinds',
    steps: [
      step('describe service plex -n media', [/^Endpoints: +10\.244\.3\.\d+:32400$/m]),
      step('describe daemonset traefik -n traefik', [
        /^Desired Number of Nodes Scheduled: 4$/m,
        /^Pods Status: +4 Running \/ 0 Waiting/m,
      ]),
      step('describe storageclass', [/^Name: +local-path$/m, /^Provisioner: /m]),
      step('describe clusterrole view', [/^ {2}Resources +Non-Resource URLs +Resource Names +Verbs$/m]),
      step('describe serviceaccount default -n media', [/^Name: +default$/m]),
    ],
  },
]

const top: readonly CommandCase[] = [
  {
    name: "the document's table of nodes",
    steps: [
      step('top nodes', [
        /^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\) *\n/,
        /^talos00 +4540m +57% +11320Mi +73% *$/m,
        /^talos01 +840m +7% +6845Mi +30% *$/m,
        /^talos02-gpu +560m +4% +5005Mi +8% *$/m,
        /^talos03 +60m +0% +1520Mi +11% *$/m,
      ]),
      step('top node talos00', /^talos00 +4540m +57% /m),
      step('top nodes --sort-by=memory --no-headers', /^talos00 .*\ntalos01 .*\ntalos02-gpu .*\ntalos03 /),
    ],
  },
  {
    name: 'pods',
    steps: [
      step('top pods -A --sort-by=cpu', [
        /^NAMESPACE +NAME +CPU\(cores\) +MEMORY\(bytes\) *\nmedia +tdarr-\S+ +544m +2970Mi *\nkube-system +kube-apiserver-talos00 +414m +1946Mi/,
      ]),
      step('top pods -n media', [/^NAME +CPU\(cores\) +MEMORY\(bytes\) *\n/, /^kometa-\S+ +181m +1024Mi *$/m]),
      step('top pod -n media --containers -l app.kubernetes.io/name=kometa', [
        /^POD +NAME +CPU\(cores\) +MEMORY\(bytes\) *\n/,
        /^kometa-\S+ +kometa +181m /m,
      ]),
      refused('top pod none -n media', 'Error from server (NotFound): pods.metrics.k8s.io "none" not found'),
    ],
  },
]

export const readingCases = { get, describe, top }
