-- Leaves a server out that answers its checks and does worse than the others of its backend: for what only shows in the times of answers.
--
-- Of each server the answers of the last ten seconds count. It is an outlier when more than one in a hundred of them, and three at least, took
-- longer than twice the p99 of the others, and than 200 ms; it takes 50 answers to say so.
-- At two looks in a row, one a second, it is drained: for 30 s, and for twice as long each time that it is one again soon, up to
-- eight minutes. A third of the servers at most is out, so of two none: which one is odd cannot be told from two.
--
-- A backend is watched when it has:
--   http-request set-var(txn.began) date(0,ms)
--   http-response set-var(txn.took) date(0,ms),sub(txn.began)
--   http-response lua.timed

local window, looks = 10, 2
local least_answers, least_slow, one_in = 50, 3, 100
local slow_factor, slow_ms = 2, 200
local first_out, longest_out = 30, 480
-- Times are counted in classes, each of which ends a tenth above the one before; 200 ms is the end of one. From 1 ms to a minute.
local ratio, below, classes = math.log(1.1), 56, 116

local watched = {}

local function class_of(ms)
  local class = math.ceil(math.log(math.max(ms, 1) / slow_ms) / ratio) + below
  return math.min(math.max(class, 1), classes)
end

local function end_of(class) return slow_ms * math.exp((class - below) * ratio) end

local function known(backend, server)
  local servers = watched[backend] or {}
  watched[backend] = servers
  local one = servers[server] or { slices = {}, odd = 0, out_for = 0, good_from = 0 }
  servers[server] = one
  return one
end

core.register_action("timed", { "http-res" }, function(txn)
  local took, server = txn:get_var("txn.took"), txn.f:srv_name()
  if not took or not server then return end
  local second, slices = core.now().sec, known(txn.f:be_name(), server).slices
  local slice = slices[second % window]
  if not slice or slice.second ~= second then
    slice = { second = second }
    slices[second % window] = slice
  end
  local class = class_of(took)
  slice[class] = (slice[class] or 0) + 1
end, 0)

-- How many answers of the window there are by class, and in all.
local function counted(one, second)
  local counts, all = {}, 0
  for _, slice in pairs(one.slices) do
    for class = 1, slice.second > second - window and classes or 0 do
      local n = slice[class] or 0
      counts[class] = (counts[class] or 0) + n
      all = all + n
    end
  end
  return counts, all
end

local function p99(counts, all)
  local left = math.ceil(all * 0.99)
  for class = 1, classes do
    left = left - (counts[class] or 0)
    if left <= 0 then return end_of(class) end
  end
end

-- Why the server is an outlier; nil when it is none, or there is nobody to compare it with.
local function oddness(servers, name, second)
  local counts, all = counted(servers[name], second)
  local others = {}
  for other, one in pairs(servers) do
    local theirs, n = counted(one, second)
    if other ~= name and not one.back and n >= least_answers then others[#others + 1] = p99(theirs, n) end
  end
  if all < least_answers or #others == 0 then return nil end
  table.sort(others)
  local limit = math.max(slow_ms, slow_factor * others[math.ceil(#others / 2)])
  local slow = 0
  for class = class_of(limit) + 1, classes do slow = slow + (counts[class] or 0) end
  if slow < least_slow or slow * one_in <= all then return nil end
  return string.format("%d of %d answers took over %.0f ms", slow, all, limit)
end

local function bring_back(backend, name, one, second)
  one.back, one.odd, one.slices, one.good_from = nil, 0, {}, second
  core.backends[backend].servers[name]:set_ready()
  core.Info(backend .. "/" .. name .. " is used again")
end

local function leave_out(backend, name, one, second, why)
  local again = one.out_for > 0 and second - one.good_from < 2 * one.out_for
  one.out_for = again and math.min(2 * one.out_for, longest_out) or first_out
  one.back = second + one.out_for
  core.backends[backend].servers[name]:set_drain()
  core.Warning(string.format("%s/%s is left out for %d s: %s", backend, name, one.out_for, why))
end

local function look(backend, servers)
  local second, there, out = core.now().sec, 0, 0
  for _, server in pairs(core.backends[backend].servers) do
    local status = server:get_stats().status
    if status:find("^UP") or status:find("^DRAIN") then there = there + 1 end
  end
  for _, one in pairs(servers) do out = out + (one.back and 1 or 0) end
  local most = math.floor(there / 3)
  for name, one in pairs(servers) do
    if one.back then
      if second >= one.back or out > most then
        bring_back(backend, name, one, second)
        out = out - 1
      end
    else
      local why = oddness(servers, name, second)
      one.odd = why and one.odd + 1 or 0
      if one.odd >= looks and out < most then
        leave_out(backend, name, one, second, why)
        out = out + 1
      end
    end
  end
end

core.register_task(function()
  while true do
    core.sleep(1)
    for backend, servers in pairs(watched) do look(backend, servers) end
  end
end)
