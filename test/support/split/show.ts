import type { Fleet } from '../fleet.ts'

/** For each process what it runs, where, and how it reaches the others: the settings that make it a part of the split. */
export function rowsOf(fleet: Fleet): Record<string, string>[] {
  return fleet.processes.map(({ name, modules, url, env }) => ({
    process: name,
    modules: modules.join(', '),
    url,
    links: Object.entries(env)
      .flatMap(([setting, value]) => (setting.startsWith('LINK_') && value !== '' ? `${setting}=${value}` : []))
      .join(' '),
  }))
}

/** Commands for a shell that work as they stand. */
export function commands(fleet: Fleet): string {
  const key = `-H "Authorization: Bearer $KEY"`
  const json = `-H 'Content-Type: application/json'`
  const event = { id: '1', source: '/shop', type: 'order', subject: 'customer-7', data: { total: 99.5, city: 'Ghent' } }
  const query = { measures: [{ fn: 'sum', field: 'data.total', as: 'revenue' }], groupBy: ['data.city'] }
  return [
    `export KEY=${fleet.adminKey}`,
    `curl '${fleet.urlFor('ingest')}/v1/events?wait=stored' ${key} ${json} -d '${JSON.stringify(event)}'`,
    `curl '${fleet.urlFor('query')}/v1/events' ${key}`,
    `curl '${fleet.urlFor('query')}/v1/query' ${key} ${json} -d '${JSON.stringify(query)}'`,
    `curl '${fleet.urlFor('sagas')}/v1/sagas' ${key}`,
    `npm run splitstream -- topology --url ${fleet.urlFor('query')} --key "$KEY"`,
  ].join('\n')
}
