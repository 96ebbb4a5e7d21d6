-module(shop).
-export([total/1]).

% INCOMMENT sums the prices
total(Prices) ->
    io:format("INSTRING"),
    lists:sum(Prices) + inblock.
