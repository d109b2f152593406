import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'

const instance = z.looseObject({ origin: z.string(), state: z.string() })

const topology = z
  .object({
    modules: z.array(z.string()).describe('That the process which answers runs'),
    links: z.array(z.object({ port: z.string(), over: z.string(), setting: z.string() })),
    serves: z.array(z.string()).describe('Ports that other processes may call here'),
    instances: z.record(z.string(), z.array(instance)).describe('Where each link leads at the moment'),
  })
  .meta({ id: 'Topology' })

export const topologyOperations = {
  getTopology: {
    tag: 'Installation',
    method: 'GET',
    path: '/v1/topology',
    scope: 'admin',
    operator: true,
    summary: 'Which modules this process runs, and over what it reaches the others',
    answers: { 200: { description: 'Modules, links and their instances', content: jsonContent(topology) } },
  },
} satisfies Operations
