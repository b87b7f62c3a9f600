tenure * MonthlyCharges

[empty]

tenrue * MonthlyCharges

Tenure + nonsense_name

ID + Id

Churn = 'Yes'

churn = 'Yes'

customers.tenure + 1

"Signed up" > '2024-02-30'

lowr(Contract)

sqroot(tenure)

lower(Contract, 2)

lower(tenure)

round(MonthlyCharges, 1.5)

Contract + 1

Contract = 5

tenure = 'abc'

seen - seen

- Contract

Senior + Senior

tenure AND Senior

NOT Contract

CASE WHEN tenure THEN 1 END

CASE WHEN Senior THEN 1 ELSE 'no' END

tenure IN (1, 2, Contract)

tenure BETWEEN 'a' AND 3

coalesce(Contract, tenure)

CAST("Signed Up" AS BIGINT)

CAST(tenure AS DECIMAL(10, 2))

CAST(tenure AS whatever)

DATE '2024-02-30'

99999999999999999999

"Signed Up" + INTERVAL 'soon'

"Signed Up" + INTERVAL 1.5 DAY

INTERVAL 1 DAY

regexp_matches(Contract, PaymentMethod)

regexp_matches(Contract, 'a(b')

regexp_matches(Contract, 'a', 'z')

regexp_replace(Contract, '(a)', '\2')

date_part('yaer', seen)

EXTRACT(monht FROM seen)

date_trunc(Contract, seen)

strftime(seen, '%Y-%q')

strptime(Contract, '')

Contract LIKE 'a!' ESCAPE '!'

Contract LIKE 'a' ESCAPE 'ab'

AVG(tenure)

sum(tenure) + tenure

AVG(tenure) OVER ()

row_number() OVER (ORDER BY tenure)

lag(tenure)

tenure > (SELECT max(tenure) FROM t)

tenure IN (SELECT 1)

EXISTS (SELECT 1)

random() * tenure

now() > seen

CURRENT_DATE - "Signed Up"

current_timestamp

uuid()

fitted_mean(Contract)

fitted_mean(tenure - fitted_mean(tenure))

[row-wise] tenure > fitted_mean(tenure)

fitted_quantile(tenure, 1.5)

fitted_quantile(tenure, tenure)

fitted_mean(chrun) + fitted_mean(Churn)

tenure +

tenure + * 2

tenure MonthlyCharges

(tenure + 1

tenure) + 1

tenure > 1; DROP TABLE t

1 < tenure < 3

'unfinished

"unfinished

/* unfinished

NULL

CASE WHEN Senior THEN NULL END

tenure AS months

count(*)

count(DISTINCT tenure)

[tenure, 1]

{'a': tenure}

(tenure, 1)

Contract SIMILAR TO 'a'

Contract ~ 'a'

tenure & 1

x -> x + 1

$1 + tenure

CASE WHEN tenrue > 1 THEN lowr(Contract) ELSE Churn END

tenure > 1
  AND 'Größe' || Contrct = 'é'

MonthlyCharges > if(tenure, 1, 2)
