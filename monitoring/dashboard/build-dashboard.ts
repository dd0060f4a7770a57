import {
  BigValueColorMode,
  BigValueGraphMode,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'
import type { Panel, Row } from './panel.ts'
import { access } from './rows/access.ts'
import { clients } from './rows/clients.ts'
import { errors } from './rows/errors.ts'
import { isolation } from './rows/isolation.ts'
import { overview } from './rows/overview.ts'
import { processRow } from './rows/process.ts'
import { servers } from './rows/servers.ts'
import { tenants } from './rows/tenants.ts'
import { work } from './rows/work.ts'

const ROWS: readonly Row[] = [
  overview,
  clients,
  servers,
  work,
  tenants,
  errors,
  access,
  isolation,
  processRow,
]

const DATASOURCE = { type: 'prometheus', uid: '$datasource' }
/** Names of queries within a panel. */
const REF_IDS = 'ABCDEFGH'
/** Of the 24 columns that Grafana has. */
const NUMBER_COLUMNS = 4
const CHART_COLUMNS = 8
const NUMBER_HEIGHT = 4
const CHART_HEIGHT = 8

/** The dashboard, in the JSON that Grafana imports. */
export function buildDashboard(): Dashboard {
  const dashboard = new DashboardBuilder('PgUsher')
    .uid('pgusher')
    .description('Proxies, their clients and server connections, and the tenants behind them.')
    .tags(['pgusher', 'postgres'])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Source').type('prometheus'))
    .withVariable(labelValues('namespace', 'Namespace', 'pgusher_build_info'))
    .withVariable(labelValues('instance', 'Proxy', 'pgusher_build_info{namespace=~"$namespace"}'))
    .withVariable(
      labelValues(
        'tenant',
        'Tenant',
        'pgusher_tenant_sessions{namespace=~"$namespace", instance=~"$instance"}',
      ),
    )
  for (const row of ROWS) {
    dashboard.withRow(new RowBuilder(row.title))
    for (const panel of row.panels) dashboard.withPanel(panelBuilder(panel))
  }
  return dashboard.build()
}

/** All values, those of labels that are absent among them, until somebody chooses. */
function labelValues(label: string, title: string, metric: string): QueryVariableBuilder {
  const query = `label_values(${metric}, ${label})`
  return new QueryVariableBuilder(label)
    .label(title)
    .datasource(DATASOURCE)
    .query({ query, refId: label })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: 'All', value: '$__all' })
}

function panelBuilder(panel: Panel): StatBuilder | TimeSeriesBuilder {
  const builder = panel.shape === 'number' ? numberBuilder() : chartBuilder(panel)
  builder
    .title(panel.title)
    .description(panel.description)
    .unit(panel.unit)
    .datasource(DATASOURCE)
    .min(0)
    .thresholds(
      new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(thresholds(panel)),
    )
  for (const [index, { expr, legend }] of panel.queries.entries()) {
    const query = new DataqueryBuilder().refId(REF_IDS.charAt(index))
    builder.withTarget(query.expr(expr).legendFormat(legend).range())
  }
  return panel.max === undefined ? builder : builder.max(panel.max)
}

function numberBuilder(): StatBuilder {
  return new StatBuilder()
    .span(NUMBER_COLUMNS)
    .height(NUMBER_HEIGHT)
    .graphMode(BigValueGraphMode.Area)
    .colorMode(BigValueColorMode.Value)
}

function chartBuilder({ shape }: Panel): TimeSeriesBuilder {
  const isStack = shape === 'stack'
  return new TimeSeriesBuilder()
    .span(CHART_COLUMNS)
    .height(CHART_HEIGHT)
    .fillOpacity(isStack ? 40 : 8)
    .stacking(new StackingConfigBuilder().mode(isStack ? StackingMode.Normal : StackingMode.None))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending),
    )
}

function thresholds({ warnFrom, alarmFrom }: Panel): Threshold[] {
  const steps: Threshold[] = [{ value: null, color: 'green' }]
  if (warnFrom !== undefined) steps.push({ value: warnFrom, color: 'orange' })
  if (alarmFrom !== undefined) steps.push({ value: alarmFrom, color: 'red' })
  return steps
}
