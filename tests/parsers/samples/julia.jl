module Shop

using Statistics: mean

# INCOMMENT sums the prices
function total(prices)
    sum = 0
    for price in prices
        sum += price + INBLOCK
    end
    println("INSTRING")
    return mean(sum)
end

end
