#pragma once

#include <string_view>

/// What the brokers do to their common tasks, each step whole: Lua that Redis runs.
///
///     brokers    sorted set  broker -> end of its lease, ms
///     slots      hash        broker -> slots of its own providers
///     task:ID    hash        request, kind, tenant, home, owner, losses; goes with its deadline
///     tasks      sorted set  ID -> deadline: how many there are
///     wait:WHO   list        IDs of a tenant that wait, the next one first
///     turns      sorted set  tenants with something waiting -> when they were served last
///     runs:NAME  set         IDs that a broker has taken
///     result:ID  hash        body, tenant
///     results    sorted set  ID -> until when it is kept
namespace strowger::broker::scripts {

/// Lines that several scripts begin with.
#define STROWGER_PUT_BACK                                                               \
    "local function put_back(id) "                                                      \
    " local who=redis.call('HGET',p..'task:'..id,'tenant') if not who then return end " \
    " redis.call('HDEL',p..'task:'..id,'owner') "                                       \
    " redis.call('LPUSH',p..'wait:'..who,id) redis.call('ZADD',p..'turns','NX',0,who) end "
#define STROWGER_DROP_RESULT                                                                  \
    "local function drop(id) "                                                                \
    " redis.call('DECRBY',p..'results:bytes',redis.call('HSTRLEN',p..'result:'..id,'body')) " \
    " redis.call('DEL',p..'result:'..id) redis.call('ZREM',p..'results',id) end "
#define STROWGER_KEEP_RESULT                                                                    \
    STROWGER_DROP_RESULT                                                                        \
    "local function keep(id,body,ms,most,bytes) "                                               \
    " local tenant=redis.call('HGET',p..'task:'..id,'tenant') if not tenant then return 0 end " \
    " local home=redis.call('HGET',p..'task:'..id,'home') "                                     \
    " redis.call('DEL',p..'task:'..id) redis.call('ZREM',p..'tasks',id) "                       \
    " redis.call('HSET',p..'result:'..id,'body',body,'tenant',tenant) "                         \
    " redis.call('ZADD',p..'results',now+ms,id) "                                               \
    " redis.call('INCRBY',p..'results:bytes',#body) "                                           \
    " while redis.call('ZCARD',p..'results')>tonumber(most) or "                                \
    "  tonumber(redis.call('GET',p..'results:bytes'))>tonumber(bytes) do "                      \
    "  local oldest=redis.call('ZRANGE',p..'results',0,0)[1] "                                  \
    "  if not oldest or oldest==id then break end drop(oldest) end "                            \
    " redis.call('PUBLISH',p..(home=='' and 'done' or 'done:'..home),id) return 1 end "

/// ARGV: broker, lease in ms, slots, losses after which a task is given up, its result, how long
/// results are kept, how many, bytes; by how much records outlive deadlines, the result of a task
/// that waited beyond its own. Renews the lease and ends those that are over; answers with the
/// slots of the others, the number of tenants that wait, and the living brokers.
inline constexpr std::string_view beat = STROWGER_PUT_BACK STROWGER_KEEP_RESULT
    "redis.call('ZADD',p..'brokers',now+ARGV[2],ARGV[1]) "
    "if redis.call('HGET',p..'slots',ARGV[1])~=ARGV[3] then "
    " redis.call('HSET',p..'slots',ARGV[1],ARGV[3]) redis.call('PUBLISH',p..'slots','') end "
    "for _,dead in ipairs(redis.call('ZRANGEBYSCORE',p..'brokers','-inf',now,'LIMIT',0,16)) do "
    " for _,id in ipairs(redis.call('SMEMBERS',p..'runs:'..dead)) do "
    "  if redis.call('HINCRBY',p..'task:'..id,'losses',1)>=tonumber(ARGV[4]) then "
    "   keep(id,ARGV[5],ARGV[6],ARGV[7],ARGV[8]) else put_back(id) end "
    // HINCRBY makes a hash of a task that is over already.
    "  if not redis.call('HGET',p..'task:'..id,'tenant') then redis.call('DEL',p..'task:'..id) end "
    " end "
    " redis.call('DEL',p..'runs:'..dead) redis.call('ZREM',p..'brokers',dead) "
    " redis.call('HDEL',p..'slots',dead) end "
    "for _,id in ipairs(redis.call('ZRANGEBYSCORE',p..'results','-inf',now,'LIMIT',0,100)) do "
    " drop(id) end "
    "for _,id in ipairs(redis.call('ZRANGEBYSCORE',p..'tasks',now,now+ARGV[9],'LIMIT',0,100)) do "
    " local task=redis.call('HMGET',p..'task:'..id,'home','owner') "
    " if task[1]=='' and not task[2] then keep(id,ARGV[10],ARGV[6],ARGV[7],ARGV[8]) end end "
    "redis.call('PUBLISH',p..'to:'..ARGV[1],'beat') "
    "local elsewhere=0 local all=redis.call('HGETALL',p..'slots') "
    "for i=1,#all,2 do if all[i]~=ARGV[1] then elsewhere=elsewhere+tonumber(all[i+1]) end end "
    "return {elsewhere,redis.call('ZCARD',p..'turns'),redis.call('ZRANGE',p..'brokers',0,-1)}";

/// ARGV: broker. A broker that ends in order need not be waited for.
inline constexpr std::string_view leave = STROWGER_PUT_BACK
    "for _,id in ipairs(redis.call('SMEMBERS',p..'runs:'..ARGV[1])) do put_back(id) end "
    "redis.call('DEL',p..'runs:'..ARGV[1]) redis.call('ZREM',p..'brokers',ARGV[1]) "
    "redis.call('HDEL',p..'slots',ARGV[1]) redis.call('PUBLISH',p..'work','') return 1";

/// ARGV: id, tenant, home or nothing, kind, request, ms until its deadline, 1 for priority, how
/// many tasks there may be, how many of this tenant. Answers 1, or 0 when there are too many.
inline constexpr std::string_view offer =
    "redis.call('ZREMRANGEBYSCORE',p..'tasks','-inf',now) "
    "local wait=p..'wait:'..ARGV[2] "
    "if redis.call('ZCARD',p..'tasks')>=tonumber(ARGV[8]) or "
    " redis.call('LLEN',wait)>=tonumber(ARGV[9]) then return 0 end "
    "redis.call('HSET',p..'task:'..ARGV[1],'tenant',ARGV[2],'home',ARGV[3],'kind',ARGV[4],"
    " 'request',ARGV[5],'losses',0) "
    "redis.call('PEXPIRE',p..'task:'..ARGV[1],ARGV[6]) "
    "redis.call('ZADD',p..'tasks',now+ARGV[6],ARGV[1]) "
    "redis.call(ARGV[7]=='1' and 'LPUSH' or 'RPUSH',wait,ARGV[1]) "
    "redis.call('ZADD',p..'turns','NX',redis.call('INCR',p..'turn'),ARGV[2]) "
    "redis.call('PUBLISH',p..'work','') return 1";

/// ARGV: broker, how many, bytes of requests that are enough. Answers with id, kind, tenant, home,
/// request of each task that is now this broker's.
inline constexpr std::string_view claim =
    "local out={} local bytes=0 "
    "if not redis.call('ZSCORE',p..'brokers',ARGV[1]) then return out end "
    "for _=1,1000 do "
    " if #out>=5*tonumber(ARGV[2]) or bytes>=tonumber(ARGV[3]) then break end "
    " local who=redis.call('ZRANGE',p..'turns',0,0)[1] if not who then break end "
    " local id=redis.call('LPOP',p..'wait:'..who) "
    " if not id then redis.call('ZREM',p..'turns',who) else "
    "  redis.call('ZADD',p..'turns',redis.call('INCR',p..'turn'),who) "
    "  local task=redis.call('HMGET',p..'task:'..id,'kind','home','request','owner') "
    "  if task[1] and not task[4] then "
    "   if task[2]=='' or redis.call('ZSCORE',p..'brokers',task[2]) then "
    "    redis.call('HSET',p..'task:'..id,'owner',ARGV[1]) "
    "    redis.call('SADD',p..'runs:'..ARGV[1],id) bytes=bytes+#task[3] "
    "    for _,v in ipairs({id,task[1],who,task[2],task[3]}) do out[#out+1]=v end "
    // Nobody waits for it any more.
    "   else redis.call('DEL',p..'task:'..id) redis.call('ZREM',p..'tasks',id) end end end end "
    "return out";

/// ARGV: id, broker, result, how long it is kept in ms, how many there may be, bytes of all. The
/// first result counts; answers 0 for a later one.
inline constexpr std::string_view finish = STROWGER_KEEP_RESULT
    "redis.call('SREM',p..'runs:'..ARGV[2],ARGV[1]) "
    "return keep(ARGV[1],ARGV[3],ARGV[4],ARGV[5],ARGV[6])";

/// ARGV: id, broker. It cannot be run here after all, if it is still this one's.
inline constexpr std::string_view give_back =
    STROWGER_PUT_BACK
    "if redis.call('SREM',p..'runs:'..ARGV[2],ARGV[1])==1 then put_back(ARGV[1]) end return 1";

/// ARGV: id. The result, which goes with that; false when there is none and the task is still
/// there, 0 when there is no task either.
inline constexpr std::string_view take_result = STROWGER_DROP_RESULT
    "local body=redis.call('HGET',p..'result:'..ARGV[1],'body') "
    "if body then drop(ARGV[1]) return body end "
    "if redis.call('EXISTS',p..'task:'..ARGV[1])==1 then return false end return 0";

/// ARGV: id. Nobody waits for it any more.
inline constexpr std::string_view withdraw =
    "local owner=redis.call('HGET',p..'task:'..ARGV[1],'owner') "
    "redis.call('DEL',p..'task:'..ARGV[1]) redis.call('ZREM',p..'tasks',ARGV[1]) "
    "if owner then redis.call('SREM',p..'runs:'..owner,ARGV[1]) "
    " redis.call('PUBLISH',p..'to:'..owner,'cancel '..ARGV[1]) end return 1";

/// ARGV: id, tenant or nothing for anybody's. Answers with waiting, running or done, and the body.
inline constexpr std::string_view look =
    "local task=redis.call('HMGET',p..'task:'..ARGV[1],'tenant','owner') "
    "if task[1] and (ARGV[2]=='' or task[1]==ARGV[2]) then "
    " return {task[2] and 'running' or 'waiting'} end "
    "local done=redis.call('HMGET',p..'result:'..ARGV[1],'tenant','body') "
    "if done[1] and (ARGV[2]=='' or done[1]==ARGV[2]) then return {'done',done[2]} end return {}";

/// ARGV: as `finish` with a tenant (or nothing) for the broker. Ends a task in favour of this
/// result and tells who runs it.
inline constexpr std::string_view end_task = STROWGER_KEEP_RESULT
    "local task=redis.call('HMGET',p..'task:'..ARGV[1],'tenant','owner') "
    "if not task[1] or (ARGV[2]~='' and task[1]~=ARGV[2]) then return 0 end "
    "if task[2] then redis.call('SREM',p..'runs:'..task[2],ARGV[1]) "
    " redis.call('PUBLISH',p..'to:'..task[2],'cancel '..ARGV[1]) end "
    "return keep(ARGV[1],ARGV[3],ARGV[4],ARGV[5],ARGV[6])";

#undef STROWGER_PUT_BACK
#undef STROWGER_DROP_RESULT
#undef STROWGER_KEEP_RESULT

}  // namespace strowger::broker::scripts
