// The gateway as `ballast up` shows it: the request that wakes a target, and a line when one has started.
import type { UpStory } from '#cli/up/capability-stories.ts'
import { gatewayDoorPort } from '#coordination/ports/gateway-door.ts'
import { listAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { annotations, httpGroup, httpScaledObjects, interceptorRoutes } from '../names.ts'

export const gatewayStory: UpStory = {
  toTry: (objects, doors) => {
    const door = doors.take(gatewayDoorPort)
    const routes = objects.filter(isRoute)
    // A server of models is what people wait for longest.
    const host = [...routes.filter(isLlm), ...routes].map(hostOf).find(found => found !== undefined)
    if (door === undefined || host === undefined) return []
    return [
      'Wake what sleeps by a request, which waits and is answered (all sleep after five quiet minutes):',
      `  curl -H 'Host: ${host}' ${door.url}/`,
    ]
  },
  watch: (informers, tell) => {
    const stops = [interceptorRoutes, httpScaledObjects].map(kind =>
      informers.of<KubeObject>(kind, { optional: true }).onChange(({ type, object, previous }) => {
        if (type === 'DELETED') return
        const [now, before] = [coldStart(object), coldStart(previous)]
        if (now?.message === undefined || now.message === before?.message) return
        tell(`gateway    ${object.metadata.namespace}/${object.metadata.name} was started by requests: ${now.message}`)
      }),
    )
    return () => {
      for (const stop of stops) stop()
    }
  },
}

function isRoute({ apiVersion, kind }: KubeObject): boolean {
  return apiVersion.startsWith(`${httpGroup}/`) && (kind === 'InterceptorRoute' || kind === 'HTTPScaledObject')
}

function isLlm({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[annotations.llm] === 'true'
}

/** The first host that is one, and no pattern. */
function hostOf(object: KubeObject): string | undefined {
  const hosts = [...listAt(object, 'spec', 'hosts'), ...listAt(object, 'spec', 'rules').flatMap(rule => listAt(rule, 'hosts'))]
  return hosts.find((host): host is string => typeof host === 'string' && !host.includes('*') && host !== '')
}

function coldStart(object: KubeObject | undefined): Condition | undefined {
  return (listAt(object, 'status', 'conditions') as readonly Condition[]).find(({ type }) => type === 'ColdStart')
}
