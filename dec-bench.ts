import { readExposition } from './src/capabilities/metrics/decode/exposition-text.ts'
import { KnownContainers } from './src/capabilities/metrics/decode/known-containers.ts'
const lines: string[] = []
const N=45
for (const [m,f] of [['container_cpu_usage_seconds_total',(i:number)=>`${(100+i*1.37).toFixed(6)} 163325380${1000+i}`],['container_memory_working_set_bytes',(i:number)=>`${(4.7264768e7+i*4096).toExponential()} 163325380${1000+i}`],['container_start_time_seconds',(i:number)=>`${(1.6332538e9+i*.01).toExponential()} 163325380${1000+i}`],['container_swap_usage_bytes',(i:number)=>`0 163325380${1000+i}`]] as const){
 lines.push(`# HELP ${m} x`,`# TYPE ${m} gauge`)
 for(let i=0;i<N;i++) lines.push(`${m}{container="c${i%3}",namespace="namespace-of-team-${i%7}",pod="deployment-name-${Math.floor(i/1.5)}-7f9c5b6d4-x${i}"} ${f(i)}`)
}
lines.push('# TYPE pod_cpu_usage_seconds_total counter')
for(let i=0;i<30;i++) lines.push(`pod_cpu_usage_seconds_total{namespace="namespace-of-team-${i%7}",pod="deployment-name-${i}-7f9c5b6d4-x${i}"} 1.5 1633253801000`)
lines.push('node_cpu_usage_seconds_total 357.35491 1633253809720','node_memory_working_set_bytes 1.616273408e+09 1633253809720','scrape_error 0')
const body = Buffer.from(lines.join('\n')+'\n')
const known = new KnownContainers()
const r = await readExposition(body,{known,sentMs:1})
console.log(body.length, r.containers.length, r.containers[3], r.node, r.rejected)
for (let round=0;round<4;round++){
const t=process.cpuUsage(); const n=2000
for(let i=0;i<n;i++) await readExposition(body,{known,sentMs:1})
const u=process.cpuUsage(t); console.log((body.length*n/1e6/((u.user+u.system)/1e6)).toFixed(0),'MB/s')}
