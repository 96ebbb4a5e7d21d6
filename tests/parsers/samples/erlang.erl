-module(queue_server).
-export([start/0, loop/1]).
-include("queue.hrl").

start() ->
    spawn(fun() -> loop([]) end).

% INCOMMENT serves pushes and pops
loop(Items) ->
    receive
        {push, Item} ->
            io:format("INSTRING ~p~n", [Item]),
            loop([Item | Items]);
        stop ->
            inblock + length(Items)
    end.
