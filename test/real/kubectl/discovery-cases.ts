// explain, api-resources, auth, version; and what needs containers, which the twin has none of.
import { type CommandCase, refused, step } from './command-case.ts'

const explain: readonly CommandCase[] = [
  {
    name: 'built-in kinds',
    steps: [
      step('explain pod', [
        /^KIND: +Pod\nVERSION: +v1\n/,
        'Pod is a collection of containers that can run on a host.',
        /^ {2}spec\t<PodSpec>$/m,
      ]),
      step('explain deployment.spec.strategy', [
        /^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nFIELD: strategy <DeploymentStrategy>\n/,
        /^ {2}rollingUpdate\t<RollingUpdateDeployment>$/m,
      ]),
      step('explain pods.spec.containers --recursive', [
        /^FIELD: containers <\[\]Container>$/m,
        /^ {4}limits\t<map\[string\]Quantity>|^ {4}limits\t<map\[string\]Object>/m,
      ]),
      step('explain pdb.spec.maxUnavailable', /FIELD: maxUnavailable <IntOrString>/),
      refused('explain pod.none', 'error: field "none" does not exist'),
      refused('explain none', `the server doesn't have a resource type "none"`),
    ],
  },
  {
    name: "Ballast's kinds",
    steps: [
      step('explain rebalancepolicy', [
        /^GROUP: +ballast\.dev\nKIND: +RebalancePolicy\nVERSION: +v1alpha1\n/,
        /^ {2}spec\t<Object>/m,
      ]),
      step('explain rebalancepolicy.spec.goals', [/^FIELD: goals <\[\]Object>/m, /^ {2}margin\t</m]),
    ],
  },
]

const discovery: readonly CommandCase[] = [
  {
    name: 'resources and versions',
    steps: [
      step('api-resources', [
        /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND *\n/,
        /^pods +po +v1 +true +Pod$/m,
        /^deployments +deploy +apps\/v1 +true +Deployment$/m,
        /^poddisruptionbudgets +pdb +policy\/v1 +true +PodDisruptionBudget$/m,
        /^rebalancepolicies +\S* *ballast\.dev\/v1alpha1 +false +RebalancePolicy$/m,
        /^nodes +metrics\.k8s\.io\/v1beta1 +false +NodeMetrics$/m,
      ]),
      step(
        'api-resources --namespaced=false --api-group=storage.k8s.io -o name',
        /^csidrivers\.storage\.k8s\.io\ncsinodes\.storage\.k8s\.io\n/,
      ),
      step('api-resources --verbs=list,get --categories=all -o name', /^pods\nreplicationcontrollers\nservices\n/m),
      step('api-versions', [/^apps\/v1$/m, /^ballast\.dev\/v1alpha1$/m, /^v1$/m]),
      step('version', [/^Client Version: v1\.3\d/m, /^Server Version: v1\.34\.\d/m]),
      step('cluster-info', /is running at .*https:\/\/127\.0\.0\.1:\d+/),
      refused('get none', `error: the server doesn't have a resource type "none"`),
    ],
  },
]

const auth: readonly CommandCase[] = [
  {
    name: 'can-i and whoami',
    steps: [
      step('auth can-i get pods', 'yes'),
      step('auth can-i delete nodes --as=system:serviceaccount:default:default', 'no', { code: 1 }),
      step(
        'auth can-i create pods --subresource=eviction -n media --as=system:serviceaccount:ballast-system:ballast-controller',
        'yes',
      ),
      step('auth can-i --list --as=alice', [
        /^Resources +Non-Resource URLs +Resource Names +Verbs *\n/,
        /^selfsubjectaccessreviews\.authorization\.k8s\.io +\[\] +\[\] +\[create\]$/m,
      ]),
      step('auth whoami', [/^Username +ballast-admin$/m, /^Groups +\[system:masters system:authenticated\]$/m]),
      step('auth whoami --as=alice --as-group=devs', [/^Username +alice$/m, /^Groups +\[devs system:authenticated\]$/m]),
      step('get nodes -o name --as=alice --as-group=system:masters', /^node\/talos00\n/),
    ],
  },
]

const inPlex = (script: string) => ['exec', 'deployment/plex', '-n', 'media', '--', 'sh', '-c', script]
const raw = (path: string) => ['get', '--raw', `/api/v1/namespaces/media/${path}`]

const containers: readonly CommandCase[] = [
  {
    name: 'what needs containers says so',
    steps: [
      step('logs deployment/plex -n media', /^container plex of pod media\/plex-\S+ started on node talos\d+/),
      step(inPlex('echo $HOSTNAME; pwd; nginx || echo no $?'), /^plex-\S+\n\/\nno 127\n$/),
      step(['run', 'here', '--image=busybox', '--annotations=ballast.dev/twin-log=every 1s: tick'], 'pod/here created'),
      step('wait pod/here --for=condition=Ready --timeout=60s', 'pod/here condition met'),
      step(['cp', import.meta.filename, 'here:/tmp/here']),
      step('exec here -- cat /tmp/here', ['export const discoveryCases']),
      step('cp here:/tmp/here /dev/null'),
      step('attach here', /^tick$/m, { meanwhile: [step('get pod here -o name', 'pod/here')] }),
      step('delete pod here --now', /^pod "here" deleted/),
      refused('exec deployment/plex -n media -c none -- ls', /container none is not valid for pod plex-/),
      step('port-forward deployment/plex -n media :32400', /^Forwarding from 127\.0\.0\.1:\d+ -> 32400$/m, {
        meanwhile: [step(raw('services/plex:32400/proxy/identity'), /"path": "\/identity"/)],
      }),
      refused('logs none', /pods "none" not found/),
      refused('exec none -- ls', 'Error from server (NotFound): pods "none" not found'),
    ],
  },
]

export const discoveryCases = { explain, 'api-resources and version': discovery, auth, 'logs and exec': containers }
